import { confirm, section, signIn } from '../support/steps';
import { expect, test } from '../support/story';

test('an owner sees every sign-in and ends all others at once', async ({ page, portal, anotherBrowser }) => {
  const owner = await portal.newOwner();
  const elsewhere = await anotherBrowser();
  await signIn(elsewhere, owner);
  await signIn(page, owner);
  await page.goto('/account');
  const signIns = section(page, 'Where you are signed in');
  await expect(signIns.getByRole('row')).toHaveCount(3);
  await expect(signIns.getByRole('row').nth(1)).toContainText('127.0.0.1');
  await expect(signIns.getByText('This one', { exact: true })).toHaveCount(1);

  await confirm(signIns, 'Sign out everywhere else');
  await expect(page.getByText('All other sign-ins are closed.')).toBeVisible();
  await expect(signIns.getByRole('row')).toHaveCount(2);
  await elsewhere.goto('/account');
  await expect(elsewhere).toHaveURL(/\/login/);
});

test('an owner ends one sign-in and keeps the rest', async ({ page, portal, anotherBrowser }) => {
  const owner = await portal.newOwner();
  const elsewhere = await anotherBrowser();
  await signIn(elsewhere, owner);
  await signIn(page, owner);
  await page.goto('/account');
  const other = section(page, 'Where you are signed in').getByRole('row').filter({ hasText: 'Sign out' });
  await confirm(other, 'Sign out');
  await expect(page.getByText('That sign-in is closed.')).toBeVisible();
  await elsewhere.goto('/');
  await expect(elsewhere).toHaveURL(/\/login/);
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
});

test('an admin ends the sign-in of anybody', async ({ page, portal, anotherBrowser }) => {
  const owner = await portal.newOwner();
  const theirs = await anotherBrowser();
  await signIn(theirs, owner);
  await signIn(page, portal.admin);
  await page.goto(`/admin/users/${owner.id}`);
  await confirm(section(page, 'Sign-ins'), 'Sign out');
  await expect(page.getByText('That sign-in is closed.')).toBeVisible();
  await theirs.reload();
  await expect(theirs).toHaveURL(/\/login/);
});

test('who changes the password signs in with the new one only', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  const password = 'a different lantern hangs there now';
  await signIn(page, owner);
  await page.goto('/account');
  await page.getByLabel('Current password').fill(owner.password);
  await page.getByLabel('New password').fill(password);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await expect(page.getByText('Your password is changed.')).toBeVisible();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await signIn(page, { ...owner, password });
});
