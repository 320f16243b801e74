import { addressText } from '../contract.ts';
import type { Instance } from '../instance.ts';

/** One server of a HAProxy backend, as `show servers state` reports it. */
export interface ServerSlot {
  readonly name: string;
  readonly address: string;
  /** Whether it takes requests, as far as its administrative state decides. */
  readonly ready: boolean;
}

/**
 * The commands that bring the slots of a backend to a list. First, instances that left stop taking requests at once;
 * then new ones take free slots. An unused slot is in maintenance. Pure.
 * @returns also the instances that found no slot.
 */
export function planSlots(backend: string, slots: readonly ServerSlot[], instances: readonly Instance[]) {
  const wanted = new Map(instances.map((instance) => [addressText(instance), instance]));
  const commands: string[] = [];
  const free: ServerSlot[] = [];
  for (const slot of slots) {
    const stays = wanted.has(slot.address);
    if (stays) wanted.delete(slot.address);
    else free.push(slot);
    if (stays !== slot.ready) commands.push(`set server ${backend}/${slot.name} state ${stays ? 'ready' : 'maint'}`);
  }
  commands.sort((one, other) => Number(one.endsWith('ready')) - Number(other.endsWith('ready')));
  const left: Instance[] = [];
  for (const instance of wanted.values()) {
    const slot = free.shift();
    if (!slot) left.push(instance);
    else
      commands.push(
        `set server ${backend}/${slot.name} addr ${instance.host} port ${instance.port}`,
        `set server ${backend}/${slot.name} state ready`,
      );
  }
  return { commands, left };
}

/** Forced, inherited, or by name resolution. The flag "disabled in the configuration" (0x04) never goes away. */
const MAINTENANCE = 0x01 | 0x02 | 0x20;
const DRAIN = 0x08 | 0x10;

/** Parses the answer to `show servers state BACKEND` by the names of its columns. */
export function parseSlots(answer: string): ServerSlot[] {
  const rows = answer.split('\n').map((line) => line.trim());
  const columns =
    rows
      .find((line) => line.startsWith('# '))
      ?.slice(2)
      .split(' ') ?? [];
  const at = (name: string) => columns.indexOf(name);
  const data = rows.filter((line) => line.split(' ').length >= columns.length && /^\d+ /.test(line));
  return data.map((line) => {
    const cells = line.split(' ');
    const [host = '', port = '0'] = [cells[at('srv_addr')], cells[at('srv_port')]];
    const admin = Number(cells[at('srv_admin_state')]);
    const ready = (admin & (MAINTENANCE | DRAIN)) === 0;
    return { name: cells[at('srv_name')] ?? '', address: addressText({ host, port: Number(port) }), ready };
  });
}
