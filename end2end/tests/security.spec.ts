import { navigate, section, signIn, submitSignIn } from '../support/steps';
import { expect, test } from '../support/story';

const EVIL_NAME = '"><svg onload=1>';

test('a form that another site sends is refused and changes nothing', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  const service = await portal.newService(owner);
  await signIn(page, owner);
  const forms = {
    '/api/ui/open_session': { service_id: service.id, minutes: '30' },
    '/api/ui/end_other_sign_ins': {},
    '/preferences': { lang: 'es', back: '/' },
    '/logout': {},
  };
  for (const [path, form] of Object.entries(forms)) {
    const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const answer = await page.request.post(path, { form, headers, maxRedirects: 0 });
    expect(answer.status(), path).toBe(403);
    const without = await page.request.post(path, { form, headers: { origin: 'https://evil.example' }, maxRedirects: 0 });
    expect(without.status(), `${path} from an old browser`).toBe(403);
  }
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('lang', 'en');
  await expect(page.getByText('Nothing is open')).toBeVisible();
});

for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example/', '/%09/evil.example']) {
  test(`a sign-in link that wants to lead to ${next} ends on the dashboard`, async ({ page, portal }) => {
    await page.goto(`/login?next=${next.includes('%') ? next : encodeURIComponent(next)}`);
    await submitSignIn(page, await portal.newOwner());
    await expect(page).toHaveURL('/');
  });
}

test('a sign-in form that was tampered with leads nowhere else', async ({ page, portal }) => {
  const { email, password } = await portal.newOwner();
  const form = { email, password, next: '//evil.example' };
  const answer = await page.request.post('/login', { form, maxRedirects: 0 });
  expect([answer.status(), answer.headers().location]).toEqual([303, '/']);
});

test('HTML in names is shown as text', async ({ page, portal, anotherBrowser }) => {
  const owner = await portal.newOwner();
  const service = await portal.newService(owner, { name: EVIL_NAME, description: EVIL_NAME });
  const project = portal.unique('lamp');
  await portal.call('POST', '/api/v1/projects', { name: project, title: EVIL_NAME, description: EVIL_NAME, hardware: [] });
  const device = { name: EVIL_NAME, attributes: { '<b>': '<script>1</script>' } };
  const { device_id } = await portal.call<{ device_id: string }>('POST', `/api/v1/projects/${project}/devices`, device);

  const theirs = await anotherBrowser();
  await signIn(theirs, owner);
  await expect(section(theirs, 'Your services').getByRole('heading', { level: 3 })).toHaveText(EVIL_NAME);
  await theirs.getByRole('button', { name: 'Open', exact: true }).click();
  await navigate(theirs, 'Sessions');
  await expect(theirs.getByRole('row').last()).toContainText(EVIL_NAME);
  await expect(theirs.locator('[onload]')).toHaveCount(0);

  await signIn(page, portal.admin);
  const headings = {
    [`/admin/services/${service.id}`]: `Service ${EVIL_NAME}`,
    [`/admin/projects/${project}`]: EVIL_NAME,
    [`/admin/projects/${project}/devices/${device_id}`]: `Device ${EVIL_NAME}`,
  };
  for (const [path, heading] of Object.entries(headings)) {
    await page.goto(path);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading);
    await expect(page.locator('[onload]')).toHaveCount(0);
  }
  await expect(page.getByRole('main')).toContainText('<script>1</script>');
});

test('an owner gets no admin page and cannot send its forms', async ({ page, portal, troubles }) => {
  troubles.foresee(/status of 403/);
  await signIn(page, await portal.newOwner());
  for (const path of ['/admin/users', '/admin/routers', '/admin/projects', '/admin/audit', '/admin/nowhere']) {
    const answer = await page.goto(path);
    expect(answer!.status(), path).toBe(403);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('This is not for your account');
  }
  const form = { email: 'new@example.test', password: 'a small lantern hangs by the gate', role: 'admin' };
  const answer = await page.request.post('/api/ui/create_user', { form, maxRedirects: 0 });
  expect(answer.headers().location).toContain('error=forbidden');
  const users = await portal.call<{ items: { email: string }[] }>('GET', '/api/v1/users?limit=500');
  expect(users.items.map((user) => user.email)).not.toContain('new@example.test');
});
