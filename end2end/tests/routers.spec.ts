import { section, signIn } from '../support/steps';
import { expect, test } from '../support/story';

test('an admin sees how a router is and what runs over it, and tests it', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  const daemon = await portal.newDaemon();
  const router = await portal.addRouter(daemon, portal.unique('Router in the shed'));
  const service = await portal.newService(owner, { router_id: router });
  const token = await portal.signInToken(owner.email, owner.password);
  await signIn(page, portal.admin);
  await page.goto(`/admin/routers/${router}`);
  const sessions = section(page, 'Sessions on this router');
  await expect(sessions).toContainText('No session runs over this router');

  await test.step('a session shows with whom it lets in and its traffic', async () => {
    await portal.call('POST', '/api/v1/sessions', { service_id: service.id }, token);
    await page.reload();
    const row = sessions.getByRole('row').filter({ hasText: service.name });
    await expect(row).toContainText(owner.email);
    await expect(row).toContainText('127.0.0.1');
    await expect(sessions.getByRole('columnheader').last()).toHaveText('Traffic');
  });

  const connection = section(page, 'Connection');
  await test.step('the test says how the daemon is', async () => {
    await connection.getByRole('link', { name: 'Test the connection' }).click();
    await expect(page.getByText('The daemon answered with the pinned certificate and the right keys.')).toBeVisible();
    await expect(connection.locator('.badge').first()).toHaveText('Reachable');
    await expect(connection).toContainText(/Its clock\s*(the same as|\d+ ms (ahead of|behind)) the portal's/);
    await expect(connection).toContainText(/Sessions it holds\s*1/);
  });

  await test.step('and that it is gone', async () => {
    await daemon.stop();
    await connection.getByRole('link', { name: 'Test again' }).click();
    await expect(page.getByRole('alert')).toContainText('The daemon could not be reached or trusted.');
    await expect(connection.locator('.badge').first()).toHaveText('Unreachable');
  });
});
