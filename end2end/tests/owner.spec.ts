import { Host, ownAddress } from '../support/lan';
import { choose, confirm, navigate, section, signIn, submitSignIn } from '../support/steps';
import { expect, test } from '../support/story';

test('an owner opens a service for half an hour, prolongs it and closes it', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  const service = await portal.newService(owner);
  const { daemon } = await portal.sharedRouter();
  await signIn(page, owner);

  await test.step('opens it', async () => {
    const offer = section(page, 'Your services').getByRole('article').filter({ hasText: service.name });
    await choose(offer, '30 min');
    await offer.getByRole('button', { name: 'Open', exact: true }).click();
    await expect(page.getByText('The service is open for your address.')).toBeVisible();
  });

  const tile = section(page, 'Open now').getByRole('article').filter({ hasText: service.name });
  const session = new RegExp(`127\\.0\\.0\\.1 +${service.public_port}/tcp +192\\.168\\.50\\.10:8080`);
  await test.step('sees state, time and the way in', async () => {
    await expect(tile.locator('.badge').filter({ hasText: 'Open' })).toBeVisible();
    await expect(tile.getByRole('timer')).toHaveText(/^(30:00|29:\d\d) left$/);
    const link = tile.getByRole('link', { name: 'Go to the service' });
    await expect(link).toHaveAttribute('href', `http://127.0.0.1:${service.public_port}/`);
    expect(await daemon.sessions()).toMatch(session);
  });

  await test.step('prolongs it', async () => {
    await choose(tile, '1 h');
    await tile.getByRole('button', { name: 'Extend' }).click();
    await expect(page.getByText('The session lasts longer now.')).toBeVisible();
    await expect(tile.getByRole('timer')).toHaveText(/^(1:00:00|59:\d\d) left$/);
  });

  await test.step('closes it', async () => {
    await confirm(tile, 'Close');
    await expect(page.getByText('The session is closed.')).toBeVisible();
    await expect(tile).toHaveCount(0);
    expect(await daemon.sessions()).not.toMatch(session);
  });

  await test.step('finds its end among the past sessions', async () => {
    await navigate(page, 'Sessions');
    const past = section(page, 'Past sessions').getByRole('row').filter({ hasText: service.name });
    await expect(past).toContainText('Closed by its owner');
    await expect(past.getByRole('cell').nth(-2), 'how long it was open').toHaveText(/^\d:\d\d$/);
    await past.getByRole('link', { name: service.name }).click();
    await expect(page.getByRole('main')).toContainText('Closed by its owner');
  });
});

test('an owner is warned five minutes before the end and extends', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  await portal.newService(owner, { default_minutes: 5 });
  await signIn(page, owner);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  const tile = section(page, 'Open now').getByRole('article');
  const warning = tile.getByText('It ends soon. Extend it to keep it open.');
  await expect(tile.getByRole('timer')).toHaveText(/^(5:00|4:\d\d) left$/);
  await expect(warning).toBeVisible();
  await choose(tile, '15 min');
  await tile.getByRole('button', { name: 'Extend' }).click();
  await expect(tile.getByRole('timer')).toHaveText(/^(15:00|14:\d\d) left$/);
  await expect(warning).toBeHidden();
});

test('an owner sees which services answer inside their network', async ({ page, portal, javaScriptEnabled }) => {
  const lan = ownAddress();
  test.skip(!lan, 'this machine has no address besides loopback, where a LAN host could be played');
  const owner = await portal.newOwner();
  const router_id = await portal.addRouter(await portal.newDaemon(`lan_cidrs = ["${lan}/32"]`), portal.unique('Router upstairs'));
  const [awake, asleep] = [await Host.asleep(lan!, 'Awake'), await Host.asleep(lan!, 'Asleep')];
  await awake.wake();
  for (const [name, host] of [['Camera', awake], ['Printer', asleep]] as const) {
    await portal.newService(owner, { name, router_id, lan_ip: lan, lan_port: host.port, public_port: host.publicPort });
  }
  await signIn(page, owner);
  const tile = (name: string) => section(page, 'Your services').getByRole('article').filter({ hasText: name });
  await expect(async () => {
    if (javaScriptEnabled === false) await page.reload();
    await expect(tile('Camera')).toContainText(/Service up \d+ ms/, { timeout: 2_000 });
    await expect(tile('Printer')).toContainText('Service down', { timeout: 2_000 });
  }).toPass({ timeout: 30_000 });
  awake.stop();
});

test('an owner reads where to point a program', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  const service = await portal.newService(owner, { kind: 'other', lan_port: 22 });
  await signIn(page, owner);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  const tile = section(page, 'Open now').getByRole('article');
  await expect(tile).toContainText(`Connect to 127.0.0.1, port ${service.public_port}.`);
});

test('an owner sees only the services that were granted', async ({ page, portal }) => {
  const [owner, neighbour] = [await portal.newOwner(), await portal.newOwner('neighbour')];
  const foreign = await portal.newService(neighbour);
  await signIn(page, owner);
  await expect(page.getByText('No service is granted to you yet')).toBeVisible();
  await expect(page.getByText(foreign.name)).toHaveCount(0);
});

test('a wrong password is refused without saying what was wrong, and the e-mail stays', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  await page.goto('/sessions');
  await submitSignIn(page, { ...owner, password: 'not the password at all' });
  await expect(page.getByRole('alert')).toContainText('This e-mail and password do not go together.');
  await expect(page.getByLabel('E-mail', { exact: true })).toHaveValue(owner.email);
  await expect(page.getByLabel('Password', { exact: true })).toHaveValue('');

  await submitSignIn(page, owner);
  await expect(page, 'the page that was wanted first').toHaveURL('/sessions');
});

test('who signs out is out', async ({ page, portal }) => {
  await signIn(page, await portal.newOwner());
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByText('You are signed out.')).toBeVisible();
  await page.goto('/account');
  await expect(page).toHaveURL('/login?next=%2Faccount');
});

test('a router that is down gives a failed session, never an open one', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  const daemon = await portal.newDaemon();
  const router = await portal.addRouter(daemon, portal.unique('Router in the attic'));
  const service = await portal.newService(owner, { router_id: router });
  await daemon.stop();
  await signIn(page, owner);

  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Session for ${service.name}`);
  await expect(page.getByRole('alert')).toContainText('The router did not answer, so nothing was opened.');
  await expect(page.getByRole('main').locator('.badge')).toHaveText('Failed');
  await expect(page.getByRole('link', { name: 'Go to the service' })).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();

  await page.goto('/');
  await expect(page.getByText('Nothing is open')).toBeVisible();
  await navigate(page, 'Sessions');
  await expect(section(page, 'Past sessions').getByRole('row').last()).toContainText('The router did not answer');
});
