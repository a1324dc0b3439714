// A portal with something on every page, and the list of all pages.

import fs from 'node:fs';

import type { Page } from '@playwright/test';

import type { Account, Portal } from './portal';
import { firmwareImage } from './program';
import { signIn } from './steps';
import { test as story } from './story';

/** One page as one visitor sees it. */
export interface Stop {
  /** Names the screenshot. */
  name: string;
  path: string;
  /** Its heading in English and in Spanish. */
  heading: [english: string, spanish: string];
}

/** A visitor with the pages that are worth a look for them. */
export interface Tour {
  account?: Pick<Account, 'email' | 'password'>;
  stops: Stop[];
}

export const VISITORS = ['nobody', 'a newcomer', 'an owner', 'an admin'] as const;
export type Visitor = (typeof VISITORS)[number];

/** The test function of stories that visit every page. */
export const test = story.extend<object, { tours: Record<Visitor, Tour> }>({
  tours: [async ({ portal }, use) => use(await prepareTours(portal)), { scope: 'worker', timeout: 60_000 }],
  // Pages that do not exist or are not for the visitor are among the stops.
  troubles: async ({ troubles }, use) => {
    troubles.foresee(/status of 40[34]/);
    await use(troubles);
  },
});

/** Signs in, where the visitor has an account. */
export async function enter(page: Page, { account }: Tour): Promise<void> {
  if (account) await signIn(page, account);
}

const stop = (name: string, path: string, english: string, spanish = english): Stop => ({
  name,
  path,
  heading: [english, spanish],
});

/** Fills the portal and answers what there is to see. */
async function prepareTours(portal: Portal): Promise<Record<Visitor, Tour>> {
  const newcomer = await portal.newOwner('newcomer');
  const owner = await portal.newOwner('ana.maria.de.la.fuente');
  const sessions = await openSessions(portal, owner);
  const invitation = await invite(portal, owner);
  const firmware = await publishFirmware(portal);
  return {
    nobody: { stops: publicPages(invitation) },
    'a newcomer': { account: newcomer, stops: emptyPages() },
    'an owner': { account: owner, stops: ownerPages(sessions) },
    'an admin': { account: portal.admin, stops: await adminPages(portal, owner, firmware) },
  };
}

/** What an admin of a portal sees that holds nothing yet. */
export const firstDayPages: Stop[] = [
  stop('empty-admin-dashboard', '/', 'Dashboard', 'Panel'),
  stop('empty-projects', '/admin/projects', 'Projects', 'Proyectos'),
  stop('empty-routers', '/admin/routers', 'Routers'),
  stop('empty-admin-services', '/admin/services', 'Manage services', 'Gestionar servicios'),
  stop('empty-new-service', '/admin/services/new', 'Add a service', 'Añadir un servicio'),
  stop('empty-users', '/admin/users', 'Users', 'Usuarios'),
  stop('empty-tokens', '/admin/tokens', 'Tokens'),
];

interface Sessions {
  /** Services and the ids of sessions on them. */
  open: [name: string, id: string];
  closed: [name: string, id: string];
  failed: [name: string, id: string];
}

async function openSessions(portal: Portal, owner: Account): Promise<Sessions> {
  const token = await portal.signInToken(owner.email, owner.password);
  const silent = await portal.newDaemon();
  const router = await portal.addRouter(silent, 'Router in the attic');
  await silent.stop();
  const services = {
    open: await portal.newService(owner, { name: 'Photo archive', kind: 'web' }),
    closed: await portal.newService(owner, { name: 'Workshop computer', icon: 'code', kind: 'other', lan_port: 22 }),
    failed: await portal.newService(owner, { name: 'Weather station', icon: 'note', router_id: router }),
  };
  const open = async (service: { id: string }) =>
    (await portal.call<{ id: string }>('POST', '/api/v1/sessions', { service_id: service.id }, token)).id;
  const [opened, closed] = [await open(services.open), await open(services.closed)];
  await portal.call('DELETE', `/api/v1/sessions/${closed}`, undefined, token);
  await open(services.failed).catch(() => 'the router does not answer');
  const { items } = await portal.call<{ items: { id: string; service_id: string }[] }>('GET', '/api/v1/sessions', undefined, token);
  const failed = items.find((session) => session.service_id === services.failed.id)!.id;
  return {
    open: [services.open.name, opened],
    closed: [services.closed.name, closed],
    failed: [services.failed.name, failed],
  };
}

/** Invites somebody to the photo archive and answers the path of the guest's page. */
async function invite(portal: Portal, owner: Account): Promise<string> {
  const token = await portal.signInToken(owner.email, owner.password);
  const { items } = await portal.call<{ items: { id: string; name: string }[] }>('GET', '/api/v1/services', undefined, token);
  const service_id = items.find(({ name }) => name === 'Photo archive')!.id;
  const wish = { service_id, label: 'Aunt Rosa', expires_minutes: 1440, max_uses: 3, max_minutes: 60 };
  const { link } = await portal.call<{ link: string }>('POST', '/api/v1/invitations', wish, token);
  return new URL(link).pathname + new URL(link).search;
}

const PROJECT = 'demo-lamp';

async function publishFirmware(portal: Portal): Promise<{ device: string }> {
  const project = `/api/v1/projects/${PROJECT}`;
  const description = 'A lamp that exists only in this tour.';
  await portal.call('POST', '/api/v1/projects', { name: PROJECT, title: 'Demo lamp', description, hardware: ['esp32s3'] });
  const image = fs.readFileSync(firmwareImage());
  for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
    await portal.call('PUT', `${project}/releases/${version}`, image);
  }
  // One image for all three: it was built as 1.1.0, so the others raise an objection.
  await portal.call('POST', `${project}/releases/1.0.0/publish`, { anyway: true });
  await portal.call('POST', `${project}/releases/1.0.0/withdraw`);
  await portal.call('POST', `${project}/releases/1.1.0/publish`);

  const device = { name: 'Lamp in the hall', group: 'ground floor', attributes: { room: 'hall', floor: '0' } };
  const { device_id } = await portal.call<{ device_id: string }>('POST', `${project}/devices`, device);
  const plan = { percent: 50, groups: ['ground floor'], window: { from_hour: 22, to_hour: 6 }, error_threshold_percent: 20 };
  await portal.call('PUT', `${project}/releases/1.1.0/rollout`, plan);
  const failing = { name: 'Lamp under the roof', controller_id: 'lamp-0002', channel: 'beta', attributes: {} };
  await failToInstall(portal, project, failing, '1.1.0');
  const twoPeople = '/api/v1/projects/demo-two-people';
  await portal.call('POST', '/api/v1/projects', { name: 'demo-two-people', title: 'Two people', hardware: [] });
  await portal.call('PATCH', twoPeople, { two_person_approval: true, quota_bytes: 64 * 1024 * 1024 });
  await portal.call('PUT', `${twoPeople}/releases/1.1.0`, image);
  await portal.call('POST', `${twoPeople}/releases/1.1.0/publish`);
  await portal.call('POST', `${twoPeople}/gateway_token`);
  const newToken = () => portal.call<{ token: string; payload: { jti: string } }>('POST', `${project}/devices/${device_id}/tokens`, {});
  const [token, revoked] = [await newToken(), await newToken()];
  await portal.call('DELETE', `/api/v1/tokens/${revoked.payload.jti}`);
  for (const state of ['downloading', 'installing', 'succeeded']) {
    await portal.call('POST', '/api/v1/device/report', { version: '1.1.0', state, detail: `it says ${state}` }, token.token);
  }
  return { device: device_id };
}

async function failToInstall(portal: Portal, project: string, device: object, version: string): Promise<void> {
  const { device_id } = await portal.call<{ device_id: string }>('POST', `${project}/devices`, device);
  const { token } = await portal.call<{ token: string }>('POST', `${project}/devices/${device_id}/tokens`, {});
  const report = { version, state: 'failed', detail: 'The flash could not be written at 0x1f0000.' };
  await portal.call('POST', '/api/v1/device/report', report, token);
}

function publicPages(invitation: string): Stop[] {
  const signIn = ['Sign in', 'Iniciar sesión'] as const;
  return [
    stop('login', '/login', ...signIn),
    stop('login-refused', '/login?error=credentials&email=ana%40example.test', ...signIn),
    stop('login-signed-out', '/login?ok=signed_out', ...signIn),
    stop('setup-over', '/setup?token=none', 'This portal is set up', 'Este portal ya está configurado'),
    stop('guest', invitation, 'You are invited to Photo archive', 'Tienes una invitación a Photo archive'),
  ];
}

function emptyPages(): Stop[] {
  return [
    stop('empty-dashboard', '/', 'Dashboard', 'Panel'),
    stop('empty-sessions', '/sessions', 'Sessions', 'Sesiones'),
    stop('empty-services', '/services', 'Services', 'Servicios'),
    stop('empty-invitations', '/invitations', 'Invitations', 'Invitaciones'),
  ];
}

function ownerPages(sessions: Sessions): Stop[] {
  const session = (state: keyof Sessions) => {
    const [service, id] = sessions[state];
    return stop(`session-${state}`, `/sessions/${id}`, `Session for ${service}`, `Sesión de ${service}`);
  };
  return [
    stop('dashboard', '/', 'Dashboard', 'Panel'),
    stop('sessions', '/sessions', 'Sessions', 'Sesiones'),
    session('open'),
    session('closed'),
    session('failed'),
    stop('services', '/services', 'Services', 'Servicios'),
    stop('invitations', '/invitations', 'Invitations', 'Invitaciones'),
    stop('new-invitation', '/invitations/new', 'Invite a guest', 'Invitar a alguien'),
    stop('account', '/account', 'Account', 'Cuenta'),
    stop('account-refused', '/account?error=invalid&field=password', 'Account', 'Cuenta'),
    stop('not-found', '/nowhere', 'There is no such page', 'Esta página no existe'),
    stop('forbidden', '/admin/users', 'This is not for your account', 'Esto no es para tu cuenta'),
  ];
}

async function adminPages(portal: Portal, owner: Account, { device }: { device: string }): Promise<Stop[]> {
  const { id: router } = await portal.sharedRouter();
  const { items } = await portal.call<{ items: { id: string; name: string }[] }>('GET', '/api/v1/services');
  const service = items.find(({ name }) => name === 'Photo archive')!;
  const project = `/admin/projects/${PROJECT}`;
  const release = (state: string, version: string) =>
    stop(`release-${state}`, `${project}/releases/${version}`, `${PROJECT} ${version}`);
  return [
    stop('admin-dashboard', '/', 'Dashboard', 'Panel'),
    stop('admin-sessions', '/sessions', 'Sessions', 'Sesiones'),
    stop('projects', '/admin/projects', 'Projects', 'Proyectos'),
    stop('project', project, 'Demo lamp'),
    stop('project-keys', `${project}/keys`, 'Keys of Demo lamp', 'Claves de Demo lamp'),
    stop('project-steps', '/admin/projects/demo-two-people', 'Two people'),
    stop('project-refused', '/admin/projects/demo-two-people?error=invalid&field=delivery.poll_s&poll_s=1', 'Two people'),
    stop('release-waits', '/admin/projects/demo-two-people/releases/1.1.0', 'demo-two-people 1.1.0'),
    stop('release-failed', `${project}/releases/1.1.0?state=failed`, `${PROJECT} 1.1.0`),
    stop('release-refused', `${project}/releases/1.2.0?error=invalid&field=plan.window&percent=7`, `${PROJECT} 1.2.0`),
    stop('upload', `${project}/upload`, 'Upload a release', 'Subir una versión'),
    release('withdrawn', '1.0.0'),
    release('published', '1.1.0'),
    release('draft', '1.2.0'),
    stop('devices', `${project}/devices`, 'Devices', 'Dispositivos'),
    stop('device', `${project}/devices/${device}`, 'Device Lamp in the hall', 'Dispositivo Lamp in the hall'),
    stop('tokens', '/admin/tokens', 'Tokens'),
    stop('routers', '/admin/routers', 'Routers'),
    stop('new-router', '/admin/routers/new', 'Add a router', 'Añadir un router'),
    stop('router', `/admin/routers/${router}`, 'Router Router in the cellar'),
    stop('router-tested', `/admin/routers/${router}?test=1`, 'Router Router in the cellar'),
    stop('admin-services', '/admin/services', 'Manage services', 'Gestionar servicios'),
    stop('new-service', '/admin/services/new', 'Add a service', 'Añadir un servicio'),
    stop('service', `/admin/services/${service.id}`, `Service ${service.name}`, `Servicio ${service.name}`),
    stop('users', '/admin/users', 'Users', 'Usuarios'),
    stop('new-user', '/admin/users/new', 'Add an account', 'Añadir una cuenta'),
    stop('user', `/admin/users/${owner.id}`, `Account ${owner.email}`, `Cuenta ${owner.email}`),
    stop('audit', '/admin/audit', 'Audit', 'Auditoría'),
    stop('audit-filtered', '/admin/audit?action=session', 'Audit', 'Auditoría'),
    stop('styleguide', '/admin/styleguide', 'Styleguide', 'Guía de estilo'),
  ];
}
