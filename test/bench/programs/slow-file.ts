/**
 * A file in memory whose sync takes long: `slow-file FOLDER BYTES`. It is mounted at FOLDER, as
 * `FOLDER/image`, by way of FUSE; the structures are those of linux/fuse.h. Each line on stdin is the
 * number of milliseconds that a sync takes from then on; at first it is 0. Says `mounted` on stderr,
 * and ends when it is unmounted.
 */
import { closeSync, openSync, read, writeSync } from "node:fs";

import { errorCode } from "../../../src/system/errors.ts";

const [folder = "", size = "0"] = process.argv.slice(2);
const image = Buffer.alloc(Number(size));
let syncMs = 0;

/** What the kernel asks for. */
const OPERATION = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  releasedir: 29,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
} as const;

const ENOENT = 2;
const ENOSYS = 38;

/** The numbers of the two files, and for how many seconds the kernel may keep what it is told. */
const ROOT = 1n;
const IMAGE = 2n;
const FOREVER = 1_000_000n;

const REQUEST_HEAD_BYTES = 40;
const REPLY_HEAD_BYTES = 16;
const WRITE_HEAD_BYTES = 40;
const MAX_TRANSFER = 131_072;

const device = openSync("/dev/fuse", "r+");
const options = `fd=3,rootmode=40000,user_id=0,group_id=0,max_read=${MAX_TRANSFER}`;
const command = ["mount", "-i", "-t", "fuse", "-o", options, "slow-file", folder];
const mount = Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit", device] });
void serve();
if ((await mount.exited) !== 0) process.exit(1);
console.error("mounted");
for await (const line of console) syncMs = Number(line);

async function serve(): Promise<void> {
  const request = Buffer.alloc(MAX_TRANSFER + 4096);
  for (;;) {
    const { error, bytes } = await new Promise<{ error: Error | null; bytes: number }>((resolve) =>
      read(device, request, 0, request.length, null, (error, bytes) => resolve({ error, bytes })),
    );
    const code = errorCode(error);
    if (code === "ENODEV") break; // it is unmounted
    if (code === "EPERM") await Bun.sleep(1); // it is not mounted yet
    if (code === undefined) answer(request.subarray(0, bytes));
  }
  closeSync(device);
  process.exit(0);
}

function answer(request: Buffer): void {
  const unique = request.readBigUInt64LE(8);
  const node = request.readBigUInt64LE(16);
  const body = request.subarray(REQUEST_HEAD_BYTES);
  switch (request.readUInt32LE(4)) {
    case OPERATION.init:
      return reply(unique, initOut());
    case OPERATION.lookup:
      if (body.toString("latin1", 0, body.indexOf(0)) !== "image") return fail(unique, ENOENT);
      return reply(unique, numbers(IMAGE, 0n, FOREVER, FOREVER, 0n), attributes(IMAGE));
    case OPERATION.getattr:
    case OPERATION.setattr:
      return reply(unique, numbers(FOREVER, 0n), attributes(node));
    case OPERATION.open:
    case OPERATION.opendir:
      return reply(unique, numbers(0n, 0n));
    case OPERATION.read: {
      const offset = Number(body.readBigUInt64LE(8));
      return reply(unique, image.subarray(offset, offset + body.readUInt32LE(16)));
    }
    case OPERATION.write: {
      const bytes = body.readUInt32LE(16);
      const data = body.subarray(WRITE_HEAD_BYTES, WRITE_HEAD_BYTES + bytes);
      data.copy(image, Number(body.readBigUInt64LE(8)));
      return reply(unique, numbers(BigInt(bytes)));
    }
    case OPERATION.fsync:
      setTimeout(() => reply(unique), syncMs);
      return;
    case OPERATION.flush:
    case OPERATION.release:
    case OPERATION.releasedir:
    case OPERATION.destroy:
      return reply(unique);
    case OPERATION.statfs:
      return reply(unique, Buffer.alloc(80));
    case OPERATION.forget:
    case OPERATION.batchForget:
    case OPERATION.interrupt:
      return; // these have no reply
    default:
      return fail(unique, ENOSYS);
  }
}

function reply(unique: bigint, ...parts: Buffer[]): void {
  send(unique, 0, Buffer.concat(parts));
}

function fail(unique: bigint, code: number): void {
  send(unique, -code, Buffer.alloc(0));
}

function send(unique: bigint, error: number, body: Buffer): void {
  const head = Buffer.alloc(REPLY_HEAD_BYTES);
  head.writeUInt32LE(REPLY_HEAD_BYTES + body.length, 0);
  head.writeInt32LE(error, 4);
  head.writeBigUInt64LE(unique, 8);
  writeSync(device, Buffer.concat([head, body]));
}

/** `struct fuse_init_out`. */
function initOut(): Buffer {
  const out = Buffer.alloc(64);
  out.writeUInt32LE(7, 0); // the protocol's version, 7.31
  out.writeUInt32LE(31, 4);
  out.writeUInt16LE(16, 16); // requests in the background
  out.writeUInt16LE(12, 18);
  out.writeUInt32LE(MAX_TRANSFER, 20);
  out.writeUInt32LE(1, 24); // times are exact to the nanosecond
  return out;
}

/** `struct fuse_attr`. */
function attributes(node: bigint): Buffer {
  const isRoot = node === ROOT;
  const bytes = BigInt(isRoot ? 4096 : image.length);
  const out = Buffer.alloc(88);
  numbers(node, bytes, bytes / 512n).copy(out);
  out.writeUInt32LE(isRoot ? 0o040755 : 0o100600, 60);
  out.writeUInt32LE(isRoot ? 2 : 1, 64);
  out.writeUInt32LE(4096, 80);
  return out;
}

/** Numbers of 64 bits, one after the other. */
function numbers(...values: bigint[]): Buffer {
  const out = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries()) out.writeBigUInt64LE(value, index * 8);
  return out;
}
