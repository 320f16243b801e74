import { describe, expect, it } from 'vitest';
import type { AgentView } from '../../fleet/fleet-view.ts';
import { parseConfig, type SharedState } from '../../fleet/shared-state.ts';
import type { Remote } from '../../git/host/remote.ts';
import { judgeUrl } from '../../publisher/allowed-urls.ts';
import { resolveTarget } from '../../publisher/resolve-target.ts';
import { FleetError } from '../../runtime/errors.ts';
import { presence } from '../../schemas/report.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { agent, NEW, OLD, URL } from './fixtures.ts';

const MINE = 'https://github.com/acme/shop.git' as RepositoryUrl;

const config = (url: string | null) =>
  ({
    config: parseConfig(Buffer.from(url === null ? '' : JSON.stringify({ url, commitId: OLD, relativePath: 'shop' }))),
  }) as SharedState;

/** A clone of `origin`, beside repositories that have the commit or not. */
function clone(
  origin: string | FleetError | null,
  having: Readonly<Record<string, 'tip' | 'absent' | FleetError>>,
  seen: string | null = null,
) {
  const asked: string[] = [];
  const remote = {
    resolveRef: async () => NEW as CommitId,
    has: async (url: string) => {
      asked.push(url);
      const answer = having[url] ?? 'absent';
      if (answer instanceof FleetError) throw answer;
      return answer;
    },
    seenAt: async () => seen,
    inferUrl: async () => {
      if (origin instanceof FleetError) throw origin;
      return origin;
    },
    graph: () => ({ compare: async () => null, titles: async () => [] }),
    title: async () => 'Prices go up',
  } as unknown as Remote;
  return { remote, asked };
}

const resolve = (
  remote: Remote,
  state: SharedState,
  more: { url?: string; rev?: string; check?: boolean; fleet?: AgentView[]; audience?: string } = {},
) =>
  resolveTarget(remote, state, {
    rev: more.rev ?? 'HEAD',
    url: more.url ?? null,
    relativePath: 'shop',
    check: more.check ?? true,
    directory: '/clone',
    agents: async () => more.fleet ?? [],
    audience: more.audience ?? null,
  });

describe('the repository of a target', () => {
  it('stays the one that the app shows, whatever the origin of the clone is', async () => {
    const { remote, asked } = clone(MINE, { [URL]: 'tip', [MINE]: 'tip' });
    expect(await resolve(remote, config(URL))).toMatchObject({ target: { url: URL, commitId: NEW }, refusal: null });
    expect(asked).toEqual([URL]);
    const private_ = clone(MINE, { [URL]: FleetError.of('AUTH', 'git: denied') });
    const unasked = await resolve(private_.remote, config(URL));
    expect(unasked).toMatchObject({ target: { url: URL }, refusal: null });
    expect(unasked.warnings).toEqual([expect.stringContaining('AUTH')]);
  });

  it('that lacks the commit refuses it, and says how the app changes to that of the clone', async () => {
    const { remote } = clone(MINE, { [MINE]: 'tip' });
    const { refusal } = await resolve(remote, config(URL));
    expect(refusal).toMatchObject({ code: 'COMMIT_NOT_ON_REMOTE', hint: expect.stringContaining(`--url ${MINE}`) });
    const same = (await resolve(clone(URL, {}).remote, config(URL))).refusal;
    expect(same?.hint).not.toContain('--url');
  });

  it('changes where another one is named', async () => {
    const { remote } = clone(URL, { [MINE]: 'tip' });
    expect((await resolve(remote, config(URL), { url: MINE })).target.url).toBe(MINE);
  });

  it('is the origin of the clone for the first target, and git is heard where it does not read the clone', async () => {
    expect((await resolve(clone(MINE, { [MINE]: 'tip' }).remote, config(null))).target.url).toBe(MINE);
    await expect(resolve(clone(null, {}).remote, config(null))).rejects.toMatchObject({ code: 'URL' });
    const foreign = FleetError.of('CLONE_OWNER', 'git does not read /clone, because it belongs to another user');
    await expect(resolve(clone(foreign, {}).remote, config(null))).rejects.toMatchObject({ code: 'CLONE_OWNER' });
  });
});

describe('the question whether the repository has the commit', () => {
  it('is not asked where the clone has just seen it there, or the repository said what the name stands for', async () => {
    const own = clone(URL, { [URL]: 'tip' }, URL);
    expect(await resolve(own.remote, config(URL))).toMatchObject({ refusal: null, warnings: [] });
    const scp = clone(URL, {}, 'git@github.com:acme/other.git');
    expect((await resolve(scp.remote, config(URL))).refusal?.code).toBe('COMMIT_NOT_ON_REMOTE');
    const odd = clone('ext::sh -c true', { [URL]: 'tip' }, 'ext::sh -c true');
    expect(await resolve(odd.remote, config(URL))).toMatchObject({ refusal: null, warnings: [] });
    const named = clone(URL, {});
    expect(await resolve(named.remote, config(URL), { url: MINE })).toMatchObject({ refusal: null, warnings: [] });
    expect([own.asked, scp.asked, odd.asked, named.asked]).toEqual([[], [URL], [URL], []]);
  });

  it('is asked where only an id was given, or the clone is one of another repository', async () => {
    const other = clone(MINE, { [URL]: 'tip' }, MINE);
    await resolve(other.remote, config(URL));
    const id = clone(MINE, { [MINE]: 'tip' }, MINE);
    await resolve(id.remote, config(URL), { url: MINE, rev: NEW });
    expect([other.asked, id.asked]).toEqual([[URL], [MINE]]);
  });
});

describe('a repository that the agents do not allow', () => {
  const allowing = (agentId: string, ...allowUrls: string[]) => agent(agentId, { online: { allowUrls } });
  const other = 'https://git.example.com/';

  it('is refused before anything is written, if it is no other than before it is not asked about', async () => {
    const { remote } = clone(URL, { [MINE]: 'tip', [URL]: 'tip' });
    const fleet = [allowing('web-1', other), allowing('web-2', other)];
    const { refusal } = await resolve(remote, config(URL), { url: MINE, fleet });
    expect(refusal).toMatchObject({ code: 'NOT_ALLOWED', hint: expect.stringContaining('--no-check') });
    expect(refusal?.message).toContain('web-1, web-2');
    expect((await resolve(remote, config(URL), { url: MINE, fleet, check: false })).refusal).toBe(null);
    expect((await resolve(remote, config(MINE), { fleet })).refusal).toBe(null);
  });

  it('is warned about where some allow it, or do not say', () => {
    const some = [allowing('web-1', other), allowing('web-2', 'https://github.com/acme')];
    expect(judgeUrl(some, MINE)).toEqual({
      warning: `${MINE} is not allowed on web-1: these agents will refuse it`,
      refusal: null,
    });
    const older = agent('web-3');
    expect(judgeUrl([allowing('web-1', other), older], MINE).warning).toContain('web-1');
    expect(judgeUrl([older, agent('web-4', { online: false })], MINE)).toEqual({ warning: null, refusal: null });
    expect(judgeUrl([], MINE)).toEqual({ warning: null, refusal: null });
  });

  it('is judged by what a presence says only where that can be read', () => {
    const card = { agentId: 'web-1', instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 1 };
    const read = (allowUrls: unknown) => presence().parse({ ...card, allowUrls }).allowUrls;
    expect(read(['https://h/a'])).toEqual(['https://h/a']);
    expect(read([])).toEqual([]);
    for (const bad of [undefined, 7, ['x'.repeat(3_000)], Array(101).fill('https://h/'), { a: 1 }, [null]])
      expect(read(bad)).toBe(null);
  });
});
