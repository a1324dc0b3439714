import { submitSignIn } from '../support/steps';
import { expect, test } from '../support/story';

test('the set-up link of an empty portal makes the first admin, once', async ({ page, emptyPortal, troubles }) => {
  troubles.foresee(/status of 404/);
  const link = await emptyPortal.setupLink();
  const admin = { email: 'first@example.test', password: 'seven lanterns on a wooden pier' };
  const fill = async (password: string, repeat: string) => {
    await page.getByLabel('E-mail', { exact: true }).fill(admin.email);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('Password again').fill(repeat);
    await page.getByRole('button', { name: 'Create the admin account' }).click();
  };

  await test.step('a slip of the hand costs nothing', async () => {
    await page.goto(link);
    await fill(admin.password, 'seven lanterns on a wooden peer');
    await expect(page.getByRole('alert')).toContainText('The two passwords differ.');
    await expect(page.getByLabel('E-mail', { exact: true })).toHaveValue(admin.email);
    await fill('short', 'short');
    await expect(page.getByLabel('Password', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  });

  await test.step('the account is made and signs in', async () => {
    await fill(admin.password, admin.password);
    await expect(page.getByText('The first admin account exists. Sign in with it.')).toBeVisible();
    await submitSignIn(page, admin);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
    await page.goto(`${emptyPortal.url}/admin/users`);
    await expect(page.getByRole('row').last()).toContainText('Admin');
  });

  await test.step('the link is over', async () => {
    await page.goto(link);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('This portal is set up');
  });
});
