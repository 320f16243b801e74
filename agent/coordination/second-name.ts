import type { Membership } from '../../zookeeper/recipes/membership.ts';

interface SecondNameParts {
  /** The membership under the agent's own name. */
  readonly membership: Pick<Membership, 'state' | 'onChange'>;
  /** Joins under another name below `online`. */
  readonly join: (name: string) => Membership;
  /** A name that no other client can guess. */
  readonly newName: () => string;
  /** Called after each change of `name`. */
  readonly onChange: () => void;
}

interface SecondName {
  /** The name under which the agent is online while its own name is contested. Null: it is not, or needs none. */
  readonly name: string | null;
  /** The fence of the second membership. */
  readonly fence: bigint | undefined;
  leave(): Promise<void>;
}

/**
 * Keeps an agent online when another client takes its name, however often. The agent is present under a freshly drawn
 * name, and its report, which no other client can write, says which. A second name that is taken too is replaced. No
 * second name is used while the agent's own name is free.
 */
export function keepSecondName({ membership, join, newName, onChange }: SecondNameParts): SecondName {
  let second: { readonly name: string; readonly member: Membership } | null = null;
  let left = false;

  function start(): void {
    const before = second;
    const name = newName();
    const member = join(name);
    second = { name, member };
    member.onChange(look);
    if (before) void before.member.leave();
  }

  function look(): void {
    if (left) return;
    const state = second?.member.state;
    if (membership.state === 'contested' && (!second || state === 'contested' || state === 'refused')) start();
    onChange();
  }

  const off = membership.onChange(look);
  return {
    get name() {
      return second && membership.state === 'contested' && second.member.held() ? second.name : null;
    },
    get fence() {
      return membership.state === 'contested' ? second?.member.fence : undefined;
    },
    async leave() {
      left = true;
      off();
      await second?.member.leave();
    },
  };
}
