/** Rounds of load. Each starts a fresh server and stops it at the end. */
import { startDynip } from "./dynip-server.ts";
import type { Bench } from "./measure.ts";
import { run, type RunningServer, startServer } from "./processes.ts";

/**
 * The number of plain pings per second that dynip accepts at full load, its client log included.
 * @param hosts the number of hosts that it knows; all ping in turn
 */
export async function dynipPlainRound(bench: Bench, hosts: number): Promise<number> {
  await using server = await startDynip(bench.clientLogs, "plain", hosts);
  return await plainRound(bench, server, hosts);
}

/** The number of plain pings per second that a bare socket stores in memory. */
export async function barePlainRound(bench: Bench, hosts: number): Promise<number> {
  await using server = await startServer([await bench.programs.path("bare-server")]);
  return await plainRound(bench, server, hosts);
}

/**
 * The number of plain pings per second that a server reports as accepted, when one process sends as
 * fast as it can. Stops the server.
 * @param warmUp the number of pings before that, few enough for none to be lost
 */
export async function plainRound(
  bench: Bench,
  server: RunningServer,
  hosts: number,
  warmUp = 20_000,
): Promise<number> {
  const { seconds } = await flood(bench, server.port, hosts, warmUp);
  return ((await server.stop()) - warmUp) / seconds;
}

/** The number of plain pings per second that the generator sends when no program reads them. */
export async function generatorAlone(bench: Bench, hosts: number): Promise<number> {
  await using sink = await startServer([await bench.programs.path("sink"), "10"]);
  const { sent, seconds } = await flood(bench, sink.port, hosts, 0);
  return sent / seconds;
}

async function flood(
  bench: Bench,
  port: number,
  hosts: number,
  warmUp: number,
): Promise<{ sent: number; seconds: number }> {
  const program = await bench.programs.path("flood");
  const numbers = [port, hosts, FLOOD_SECONDS, warmUp];
  return JSON.parse((await run([program, ...numbers.map(String)])).stdout);
}

const FLOOD_SECONDS = 3;

/** The result of a round of signed pings, or of questions. */
export interface SignedRound {
  /** Acknowledged pings, or answered questions. */
  readonly perSecond: number;
  /** Those not answered within a second. */
  readonly lost: number;
}

/** Signed pings that dynip verifies, makes durable and acknowledges, 256 in flight. */
export async function dynipSignedRound(bench: Bench, hosts: number): Promise<SignedRound> {
  await using server = await startDynip(bench.clientLogs, "signed", hosts);
  const round = await signedRound(bench, server, hosts, "dynip");
  await server.stop();
  return round;
}

/** Questions of hosts about themselves that dynip verifies and answers, 256 in flight. */
export async function dynipQuestionRound(bench: Bench, hosts: number): Promise<SignedRound> {
  await using server = await startDynip(bench.clientLogs, "signed", hosts);
  const round = await signedRound(bench, server, hosts, "questions");
  await server.stop();
  return round;
}

/** The same pings, echoed by a bare socket with as many bytes as dynip's reply. */
export async function echoRound(bench: Bench, hosts: number): Promise<SignedRound> {
  await using server = await startServer([await bench.programs.path("bare-echo")]);
  const round = await signedRound(bench, server, hosts, "echo");
  await server.stop();
  return round;
}

async function signedRound(
  bench: Bench,
  server: RunningServer,
  hosts: number,
  kind: "dynip" | "echo" | "questions",
): Promise<SignedRound> {
  const program = await bench.programs.path("signed-driver");
  const numbers = [server.port, hosts, SIGNED_PINGS, IN_FLIGHT];
  const { stdout } = await run([program, ...numbers.map(String), kind]);
  const { acknowledged, lost, wrong, seconds } = JSON.parse(stdout);
  if (wrong > 0) throw new Error(`${wrong} of ${acknowledged} replies were not what was asked for`);
  return { perSecond: acknowledged / seconds, lost };
}

const SIGNED_PINGS = 200_000;
const IN_FLIGHT = 256;
