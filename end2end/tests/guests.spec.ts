import { choose, confirm, navigate, signIn } from '../support/steps';
import { expect, test } from '../support/story';

test('an owner invites somebody who opens the service without an account', async ({ page, portal, browser }, info) => {
  const owner = await portal.newOwner();
  const service = await portal.newService(owner);
  const { daemon } = await portal.sharedRouter();
  await signIn(page, owner);

  const link = await test.step('makes an invitation', async () => {
    const offer = page.getByRole('article').filter({ hasText: service.name });
    await offer.getByRole('link', { name: 'Invite a guest' }).click();
    await page.getByLabel('Whom or what for').fill('Plumber <1>');
    await page.getByRole('button', { name: 'Make the invitation' }).click();
    await expect(page.getByText('This is shown once.')).toBeVisible();
    return page.getByRole('region', { name: 'Link for the guest' }).innerText();
  });

  const stranger = await browser.newContext({ javaScriptEnabled: info.project.use.javaScriptEnabled });
  const guest = await stranger.newPage();
  const session = new RegExp(`127\\.0\\.0\\.1 +${service.public_port}/tcp`);
  await test.step('the guest opens it', async () => {
    await guest.goto(link.trim());
    await expect(guest.getByRole('main')).toContainText('127.0.0.1 (IPv4)');
    await expect(guest.getByRole('main')).toContainText('Everybody behind that address');
    await choose(guest.getByRole('main'), '15 min');
    await guest.getByRole('button', { name: 'Open', exact: true }).click();
    const way = guest.getByRole('link', { name: 'Go to the service' });
    await expect(way).toHaveAttribute('href', `http://127.0.0.1:${service.public_port}/`);
    expect(await daemon.sessions()).toMatch(session);
  });

  await test.step('the owner sees the guest and revokes the invitation', async () => {
    await navigate(page, 'Sessions');
    await expect(page.getByRole('row').filter({ hasText: 'Guest: Plumber <1>' })).toBeVisible();
    await navigate(page, 'Invitations');
    const row = page.getByRole('row').filter({ hasText: 'Plumber <1>' });
    await expect(row).toContainText('1 of 1');
    await confirm(row, 'Revoke');
    await expect(page.getByText('The invitation is revoked.')).toBeVisible();
    expect(await daemon.sessions()).not.toMatch(session);
  });

  await test.step('the guest is out and is told so', async () => {
    await guest.reload();
    await expect(guest.getByText('It is closed.')).toBeVisible();
    await guest.getByRole('link', { name: 'Back to the invitation' }).click();
    await expect(guest.getByText('It was withdrawn.')).toBeVisible();
  });
  await stranger.close();

  await test.step('the audit trail tells all of it', async () => {
    type Entry = { action: string; actor_name: string; target_id: string };
    const { items } = await portal.call<{ items: Entry[] }>('GET', '/api/v1/audit?limit=500');
    const opened = items.find(({ action, target_id }) => action === 'session.open' && target_id === service.id);
    expect(opened?.actor_name).toBe('Plumber <1>');
    const byOwner = items.filter(({ actor_name }) => actor_name === owner.email).map(({ action }) => action);
    expect(byOwner).toEqual(expect.arrayContaining(['invitation.create', 'invitation.revoke', 'session.close']));
  });
});
