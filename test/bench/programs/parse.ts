/** Reads a JSON file and parses it, `parse FILE`; prints how long that took, in milliseconds. */
import { readFileSync } from "node:fs";

const start = performance.now();
const document: unknown = JSON.parse(readFileSync(process.argv[2]!, "utf8"));
const milliseconds = performance.now() - start;
if (typeof document !== "object" || document === null) throw new Error("it is not an object");
console.log(milliseconds);
