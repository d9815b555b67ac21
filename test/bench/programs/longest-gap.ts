/**
 * Loaded into the server's own process by way of BUN_OPTIONS, which compiled programs heed as well: a
 * timer of 10 ms that remembers the longest time between two of its ticks. The first SIGUSR2 begins,
 * the next says on stderr how long that was.
 */
const TICK_MS = 10;

let last = 0;
let longest = 0;
let isWatching = false;
setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last);
  last = now;
}, TICK_MS);
process.on("SIGUSR2", () => {
  if (isWatching) process.stderr.write(`longest gap ${longest} ms\n`);
  isWatching = true;
  last = performance.now();
  longest = 0;
});
