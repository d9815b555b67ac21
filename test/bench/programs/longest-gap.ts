/**
 * A timer of 10 ms that keeps the longest time between two ticks. BUN_OPTIONS, which compiled programs
 * read as well, loads it into the process of the server. The first SIGUSR2 starts it, the next prints
 * the longest time on stderr.
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
