import { classify, FleetError } from '../../runtime/errors.ts';
import { suggest } from '../../schemas/text/suggest.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';

const ANSWER_MS = 2_000;

/**
 * Adds to APP_MISSING the name of a neighbouring app that is probably meant. Every other error stays unchanged, and so
 * does APP_MISSING if no name is close or ZooKeeper does not answer.
 */
export async function namingNearApp(error: unknown, session: Session, app: string): Promise<unknown> {
  if (!(error instanceof FleetError) || error.code !== 'APP_MISSING') return error;
  const near = await nearApp(session, app).catch(() => null);
  if (near === null) return error;
  const { message, hint } = classify(error);
  return FleetError.of('APP_MISSING', `${message}; did you mean ${near}?`, hint, error);
}

async function nearApp(session: Session, app: string): Promise<string | null> {
  const cut = app.lastIndexOf('/');
  const [parent, name] = [app.slice(0, cut), app.slice(cut + 1)];
  const names = (await session.children(parent === '' ? '/' : parent, { deadlineMs: ANSWER_MS })) ?? [];
  const near = suggest(
    name,
    names.filter((each) => each !== name),
  );
  if (near === null) return null;
  const config = await session.exists(znodes(`${parent}/${near}`).config, { deadlineMs: ANSWER_MS });
  return config === null ? null : `${parent}/${near}`;
}
