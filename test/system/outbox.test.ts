/** The answers of one turn leave together, and an error of one peer costs no other its answer. */
import { expect, test } from "bun:test";

import { Outbox, type Sender } from "../../src/system/outbox.ts";

/** A socket on which the system reports one ICMP error of an earlier datagram, at datagram `at`. */
function socketWithErrorAt(at: number): Sender & { readonly sent: string[] } {
  const sent: string[] = [];
  let calls = 0;
  const isError = (): boolean => calls++ === at;
  return {
    sent,
    send(datagram) {
      if (isError()) throw refused();
      sent.push(text(datagram));
      return true;
    },
    // sendmmsg(2): an error at the first datagram is returned, one at a later datagram ends the call.
    sendMany(batch) {
      for (let index = 0; index < batch.length; index += 3) {
        if (!isError()) sent.push(text(batch[index]!));
        else if (index === 0) throw refused();
        else return index / 3;
      }
      return batch.length / 3;
    },
  };
}

function refused(): Error {
  return Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" });
}

function text(datagram: Uint8Array | number | string): string {
  return new TextDecoder().decode(datagram as Uint8Array);
}

test.each([0, 1, 2, 3])(
  "all answers leave when the system reports another peer's error at the one of index %d",
  (at) => {
    const errors: Error[] = [];
    const socket = socketWithErrorAt(at);
    const outbox = new Outbox(socket, (error) => errors.push(error));
    const answers = ["first", "second", "third", "fourth"];
    for (const answer of answers) outbox.push(new TextEncoder().encode(answer), 9, "192.0.2.1");
    outbox.flush();
    expect(socket.sent).toEqual(answers);
    expect(errors).toEqual([]);
  },
);

test("what the system does not take is lost, and the rest is tried", () => {
  const tried: string[] = [];
  const outbox = new Outbox(
    {
      sendMany: () => 0,
      send: (datagram) => tried.push(text(datagram)) === 0,
    },
    () => {},
  );
  for (const answer of ["first", "second"])
    outbox.push(new TextEncoder().encode(answer), 9, "192.0.2.1");
  outbox.flush();
  outbox.flush();
  expect(tried).toEqual(["first", "second"]);
});
