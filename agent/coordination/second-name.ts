import type { Membership } from '../../zookeeper/recipes/membership.ts';

interface SecondNameParts {
  /** Of the presence under the agent's own name. */
  readonly membership: Pick<Membership, 'state' | 'onChange'>;
  /** Joins under another name below `online`. */
  readonly join: (name: string) => Membership;
  /** One that no other client can guess. */
  readonly newName: () => string;
  /** After each change of `name`. */
  readonly onChange: () => void;
}

interface SecondName {
  /** Under which the agent is online while its own name is contested; null: it is not, or needs none. */
  readonly name: string | null;
  /** As of a membership. */
  readonly fence: bigint | undefined;
  leave(): Promise<void>;
}

/**
 * Keeps an agent online whose own name another client takes, however often: it is present under a name that was drawn a
 * moment ago, and its report, which no other client can write, says which. A second name that is taken too is replaced.
 * Nothing is made while the own name is free.
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
