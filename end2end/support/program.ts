import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 15_000;

const debugBuild = (name: string) => path.join(__dirname, '../../target/debug', name);

/** The programs under test: what `cargo xtask test` names, else the development build. */
export const binaries = {
  portal: process.env.GATEHOUSE_BIN ?? debugBuild('gatehouse'),
  router: process.env.ROUTERD_BIN ?? debugBuild('gatehouse-routerd'),
  device: process.env.DEVICE_BIN ?? debugBuild('gatehouse-device'),
  cosigner: process.env.COSIGNER_BIN ?? debugBuild('gatehouse-cosigner'),
};

/** A firmware image of version 1.1.0; by hand `cargo xtask image lamp.bin --version 1.1.0` makes one. */
export function firmwareImage(): string {
  const file = process.env.ESP_IMAGE;
  if (!file) throw new Error('ESP_IMAGE must name a firmware image of version 1.1.0');
  return file;
}

/** The portal refuses variables of its prefix that it does not know, such as `GATEHOUSE_BIN`. */
function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith('GATEHOUSE_')));
}

const lastDeeds = new Set<() => void>();
process.once('exit', () => lastDeeds.forEach((deed) => deed()));

/** Does something when the worker ends, however it ends; what it answers calls that off. */
export function atExit(deed: () => void): () => void {
  lastDeeds.add(deed);
  return () => lastDeeds.delete(deed);
}

function launch(binary: string, args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(binary, args, { env: environment() });
  // A worker that is cut short leaves nothing running.
  child.once('exit', atExit(() => child.kill('SIGKILL')));
  return child;
}

/** Runs a program to its end and answers what it printed; fails when the program does. */
export async function run(binary: string, args: string[], input = ''): Promise<string> {
  const child = launch(binary, args);
  let printed = '';
  let complaints = '';
  child.stdout.on('data', (text) => (printed += text));
  child.stderr.on('data', (text) => (complaints += text));
  // A program that reads nothing may be over before its input is closed.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  if (code !== 0) {
    throw new Error(`${path.basename(binary)} ${args.join(' ')} ended with ${code}: ${complaints}`);
  }
  return printed;
}

/** A program that serves until it is stopped. */
export class Program {
  /** Everything it printed so far. */
  output = '';
  private readonly name: string;
  private readonly child: ChildProcessWithoutNullStreams;

  private constructor(binary: string, args: string[]) {
    this.name = path.basename(binary);
    this.child = launch(binary, args);
    this.child.stdout.on('data', (text) => (this.output += text));
    this.child.stderr.on('data', (text) => (this.output += text));
    this.child.on('error', (error) => (this.output += error.message));
  }

  /** Starts it and waits until it says where it listens. */
  static async start(binary: string, args: string[]): Promise<Program> {
    const program = new Program(binary, args);
    await program.says(/listening on \S+\n/);
    return program;
  }

  /** Where it listens, as it printed it. */
  get address(): string {
    return this.output.match(/listening on (\S+)/)![1];
  }

  /** Waits until its output matches, and answers the match. */
  async says(pattern: RegExp): Promise<RegExpMatchArray> {
    const deadline = Date.now() + START_LIMIT_MS;
    for (;;) {
      const match = this.output.match(pattern);
      if (match) return match;
      if (this.child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`${this.name} did not print ${pattern}, but:\n${this.output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Asks it to stop, as a service manager would, and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'close');
    const patience = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT_MS);
    this.child.kill('SIGTERM');
    await gone;
    clearTimeout(patience);
  }
}
