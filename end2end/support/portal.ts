import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { atExit, binaries, Program, run } from './program';
import { RouterDaemon } from './router';

/** Somebody who can sign in. */
export interface Account {
  id: string;
  email: string;
  password: string;
}

/** A service as the API answers it, as far as the stories need it. */
export interface Service {
  id: string;
  name: string;
  public_port: number;
}

const ADMIN = { email: 'admin@example.test', password: 'eleven geese cross the quiet harbour' };

/** A portal of its own in a temporary folder. */
export class Portal {
  private token = '';
  private router?: Promise<{ daemon: RouterDaemon; id: string }>;
  private readonly daemons: RouterDaemon[] = [];
  private count = 0;

  private constructor(
    private readonly dir: string,
    private readonly program: Program,
  ) {}

  /** Starts a portal with one admin; `settings` are lines of its configuration. */
  static async start(settings = ''): Promise<Portal> {
    const dir = temporaryFolder();
    fs.writeFileSync(configFile(dir), settings);
    const create = ['admin', 'create', '--email', ADMIN.email, '--password-stdin'];
    await run(binaries.portal, [...create, '--data-dir', dataDir(dir)], ADMIN.password);
    const portal = await Portal.serve(dir);
    portal.token = await portal.signInToken(ADMIN.email, ADMIN.password);
    return portal;
  }

  /** Starts a portal without any account, which prints its set-up link. */
  static async startEmpty(): Promise<Portal> {
    const dir = temporaryFolder();
    fs.writeFileSync(configFile(dir), '');
    return Portal.serve(dir);
  }

  private static async serve(dir: string): Promise<Portal> {
    const args = ['serve', '--config', configFile(dir), '--data-dir', dataDir(dir), '--listen', '127.0.0.1:0'];
    return new Portal(dir, await Program.start(binaries.portal, args));
  }

  /** Stops everything and removes the folder. */
  async stop(): Promise<void> {
    await Promise.all([this.program.stop(), ...this.daemons.map((daemon) => daemon.stop())]);
    fs.rmSync(this.dir, { recursive: true });
  }

  get url(): string {
    return this.program.address;
  }

  get admin(): Omit<Account, 'id'> {
    return ADMIN;
  }

  /** The link that an empty portal prints for its first admin. */
  async setupLink(): Promise<string> {
    return (await this.program.says(/\S+\/setup\?token=\S+/))[0];
  }

  /** A word that nothing else on this portal is called. */
  unique(word: string): string {
    this.count += 1;
    return `${word}-${this.count}`;
  }

  /** A path for a file or folder that goes away with the portal. */
  path(name: string): string {
    return path.join(this.dir, name);
  }

  /** Calls the JSON API, as the admin unless a token says otherwise; fails when the portal refuses. */
  async call<T>(method: string, path: string, body?: unknown, token = this.token): Promise<T> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...contentType(body) },
      body: body instanceof Buffer ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  /** A token of the JSON API, as a program would get one. */
  async signInToken(user: string, pass: string): Promise<string> {
    const { token } = await this.call<{ token: string }>('POST', '/api/login', { user, pass });
    return token;
  }

  /** An owner whom nobody else's story touches. */
  async newOwner(name = 'owner'): Promise<Account> {
    const email = `${this.unique(name)}@example.test`;
    const password = 'a small lantern hangs by the gate';
    const user = { email, password, role: 'owner' };
    const { id } = await this.call<{ id: string }>('POST', '/api/v1/users', user);
    return { id, email, password };
  }

  /** A daemon that the portal does not know yet; `settings` are lines of its configuration. */
  async newDaemon(settings?: string): Promise<RouterDaemon> {
    const daemon = await RouterDaemon.start(this.path(this.unique('routerd')), settings);
    this.daemons.push(daemon);
    return daemon;
  }

  /** Makes a daemon known to the portal and answers the router's id. */
  async addRouter(daemon: RouterDaemon, name: string): Promise<string> {
    const router = { name, address: daemon.address, ...daemon.keys, protocol: 2 };
    return (await this.call<{ id: string }>('POST', '/api/v1/routers', router)).id;
  }

  /** The router that stories share, since each session on it stands for itself. */
  sharedRouter(): Promise<{ daemon: RouterDaemon; id: string }> {
    this.router ??= this.newDaemon().then(async (daemon) => ({
      daemon,
      id: await this.addRouter(daemon, 'Router in the cellar'),
    }));
    return this.router;
  }

  /** A service that `owner` may open for half an hour by default and four hours at the most. */
  async newService(owner: Account, settings: object = {}): Promise<Service> {
    const service = await this.call<Service>('POST', '/api/v1/services', {
      name: this.unique('Photo archive'),
      description: 'The pictures on the storage box',
      icon: 'cloud',
      router_id: (await this.sharedRouter()).id,
      lan_ip: '192.168.50.10',
      lan_port: 8080,
      public_port: 20_000 + this.count,
      protocol: 'tcp',
      kind: 'web',
      url_path: '/',
      default_minutes: 30,
      max_minutes: 240,
      wake: null,
      ...settings,
    });
    await this.call('PUT', `/api/v1/services/${service.id}/grants`, { users: [owner.id] });
    return service;
  }
}

function temporaryFolder(): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'gatehouse-e2e-'));
  // A portal that does not even start leaves nothing behind either.
  atExit(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function configFile(dir: string): string {
  return path.join(dir, 'gatehouse.toml');
}

/** The portal wants a folder for itself. */
function dataDir(dir: string): string {
  return path.join(dir, 'data');
}

function contentType(body: unknown): Record<string, string> {
  if (body === undefined) return {};
  return { 'content-type': body instanceof Buffer ? 'application/octet-stream' : 'application/json' };
}
