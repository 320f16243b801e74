import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { bindPlain } from '../../fleet/flags/plain-flags.ts';
import { putValue, refuseAbove, refuseInApp, refuseOurs, removeValue } from '../../fleet/values.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import { fakeKit } from '../support/zookeeper/kit.ts';

const kit = fakeKit();
const reserved = { code: 'ZNODE_RESERVED' };
let session: Session;
let top: string;
let count = 0;

beforeEach(async () => {
  session = kit.open(kit.connect());
  top = `/top${++count}`;
  const paths = znodes(`${top}/team/shop`);
  await initApp(session, paths, openAccess);
  await bindPlain({ session, znodes: paths, access: openAccess, now: () => 1 }, `${top}/features`);
  const data = Buffer.from('10.0.0.7');
  await putValue(session, { path: `${top}/servers/c6/host`, data, ifVersion: null, force: false });
});

describe('removing a tree of values', () => {
  it.each(['', '/team', '/features'])('is refused where %j has something of gitfleet in it', async (below) => {
    await expect(removeValue(session, `${top}${below}`, true)).rejects.toMatchObject(reserved);
    expect(await session.exists(`${top}/team/shop/config`)).not.toBeNull();
  });

  it('takes values and nothing else', async () => {
    await removeValue(session, `${top}/servers`, true);
    expect(await session.children(top)).toEqual(expect.arrayContaining(['team', 'features']));
    expect(await session.exists(`${top}/servers`)).toBeNull();
  });
});

it('a value lies in no app and in no directory of plain flags, whichever app it belongs to', async () => {
  for (const path of ['/team/shop', '/team/shop/x', '/features', '/features/a/enabled'])
    await expect(refuseOurs(session, `${top}${path}`), path).rejects.toMatchObject(reserved);
  await refuseOurs(session, `${top}/servers/c6/host`);
  await refuseOurs(session, `${top}/team/other`);
});

it('a directory of plain flags neither lies in an app nor has one in it, and may be bound again', async () => {
  await expect(refuseInApp(session, `${top}/team/shop/flags`)).rejects.toMatchObject(reserved);
  await expect(refuseAbove(session, `${top}/team`, true)).rejects.toMatchObject(reserved);
  await refuseInApp(session, `${top}/features`);
  await refuseAbove(session, `${top}/features`, true);
});
