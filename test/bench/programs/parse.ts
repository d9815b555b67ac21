/** Reads and parses a JSON file, `parse FILE`, and prints the milliseconds that it took. */
import { readFileSync } from "node:fs";

const start = performance.now();
const document: unknown = JSON.parse(readFileSync(process.argv[2]!, "utf8"));
const milliseconds = performance.now() - start;
if (typeof document !== "object" || document === null) throw new Error("it is not an object");
console.log(milliseconds);
