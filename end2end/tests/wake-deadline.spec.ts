// Takes the minute that a host has for waking up, so one width of the screen is enough.

import { Host, NetworkCard, ownAddress } from '../support/lan';
import { navigate, section, signIn } from '../support/steps';
import { expect, test } from '../support/story';

const lan = ownAddress();
test.skip(!lan, 'this machine has no address besides loopback, where a LAN host could be played');

test('a host that does not wake within a minute leaves nothing open, and the page says so', async ({ page, portal }) => {
  test.setTimeout(150_000);
  const host = await Host.asleep(lan!, 'Nobody arrives here');
  const card = await NetworkCard.listen();
  const daemon = await portal.newDaemon(`lan_cidrs = ["${host.address}/32"]\nwake_broadcasts = ["${card.place}"]`);
  const router_id = await portal.addRouter(daemon, portal.unique('Router by the stairs'));
  const owner = await portal.newOwner();
  const place = { router_id, lan_ip: host.address, lan_port: host.port, public_port: host.publicPort };
  const service = await portal.newService(owner, { ...place, wake: { kind: 'wol', mac: '02:00:5e:10:00:02' } });
  await signIn(page, owner);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.getByRole('main').locator('[aria-current=step]')).toContainText('Wait until its service answers');

  const alert = page.getByRole('alert');
  await expect(alert).toContainText('its service did not answer within a minute', { timeout: 90_000 });
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(0);
  expect(await daemon.sessions()).not.toContain(String(service.public_port));
  await navigate(page, 'Sessions');
  const past = section(page, 'Past sessions').getByRole('row').filter({ hasText: service.name });
  await expect(past).toContainText('It did not wake in time');
  card.stop();
});
