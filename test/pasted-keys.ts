/** A key that was pasted in a wrong place, for the tests that no message shows a part of it. */

/** As dynip init makes them, but always the same. */
export const KEY = "q3Z-mVt8XwLb4Rk_1uYcE9hJpD7sGfNa2oTiH5xWzQk";

/** What is pasted in place of a key, by the mistake. */
export const PASTED: Readonly<Record<string, string>> = {
  "a key": KEY,
  "a key without its first character": KEY.slice(1),
  "a key without its last character": KEY.slice(0, -1),
  "a key and one character more": `${KEY}A`,
  "a key with its padding": `${KEY}=`,
  "half of a key": KEY.slice(0, 22),
  "a key with white space around it": ` ${KEY}\t`,
  "a key in quotation marks": `"${KEY}"`,
  "a key with a space inside": `${KEY.slice(0, 30)} ${KEY.slice(30)}`,
  "a key in two lines": `${KEY.slice(0, 37)}\n${KEY.slice(37)}`,
  "a key that is cut into three": `${KEY.slice(0, 14)} ${KEY.slice(14, 29)}\t${KEY.slice(29)}`,
  "a key with a quotation mark inside": `${KEY.slice(0, 33)}"${KEY.slice(33)}`,
  "a key with a quotation mark and a space inside": `${KEY.slice(0, 33)}" ${KEY.slice(33)}`,
  "a key that begins with a hyphen": `-${KEY.slice(1)}`,
  "a key that begins with two hyphens": `--${KEY.slice(2)}`,
};

/** A piece of the key in a text, of 4 characters, which no message has by chance. */
export function pieceIn(text: string): string | undefined {
  for (let at = 0; at + 4 <= KEY.length; at++) {
    const piece = KEY.slice(at, at + 4);
    if (text.includes(piece)) return piece;
  }
  return undefined;
}

/** Configurations with something pasted in a place where no key belongs, or malformed where it does. */
export function wrongConfigs(pasted: string): string[] {
  const value = JSON.stringify(pasted);
  return [
    pasted,
    `${pasted} = 1`,
    `${value} = 1`,
    `[${pasted}]`,
    `[${value}]`,
    `secret = ${pasted}`,
    `secret: ${pasted}`,
    `secret = "${pasted}`,
    `secret = '${pasted}"`,
    `secret = "${pasted}" "`,
    `secret = [${value}]`,
    `key = ${value}`,
    `[server]\n${value} = 1`,
    `[server]\n${value}.x = 1`,
    `[server.${value}]`,
    `[server]\nsecret = ${value}`,
    `[client]\nsecret = ${value}`,
    `[server]\nkey = ${value}`,
    `[server]\nserver_ip = ${value}`,
    `[server]\nserver_ip = [${value}, ${value}]`,
    `[server]\nserver_port = ${value}`,
    `[server]\nmax_clients = ${value}`,
    `[server]\nallow_plain = ${value}`,
    `[server]\ngenerations = ${value}`,
    `[server.generations]\n${value} = 1`,
    `[server.generations]\nnas = ${value}`,
    `[client]\nserver_hostname = [${value}, 1]`,
    `[client]\nserver_port = ${value}`,
    `[client]\nfamily = ${value}`,
  ];
}
