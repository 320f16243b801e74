/**
 * Turns the bytes of an event stream (text/event-stream) into events, piece by piece. Bounded: an event larger than
 * `MAX_EVENT_CHARACTERS` ends the stream with an error. Not decided here: what an event means.
 */

export interface StreamEvent {
  /** `message` if the server gave no name. */
  readonly name: string;
  readonly data: string;
  /** The id that a reader gives back as Last-Event-ID; null: no event has had one yet. */
  readonly id: string | null;
}

/** A snapshot of 10,000 servers has about 4 MB. */
export const MAX_EVENT_CHARACTERS = 64 * 1024 * 1024;

/** A function that takes the next piece of text and gives the events that it completes. Comments complete none. */
export function createEventParser(max = MAX_EVENT_CHARACTERS): (text: string) => StreamEvent[] {
  let left: string[] = [];
  let size = 0;
  let id: string | null = null;
  let fields = noFields();
  const take = (line: string, found: StreamEvent[]): void => {
    if (line === '') {
      if (fields.data.length > 0) found.push({ name: fields.name, data: fields.data.join('\n'), id });
      fields = noFields();
      size = 0;
      return;
    }
    const { name, value } = fieldOf(line);
    if (name === 'data') fields.data.push(value);
    else if (name === 'event') fields.name = value;
    else if (name === 'id' && !value.includes('\0')) id = value;
  };
  return (text) => {
    size += text.length;
    if (size > max) throw new Error(`an event has more than ${max} characters`);
    const lines = text.split('\n');
    const last = lines.pop() as string;
    const found: StreamEvent[] = [];
    for (const line of lines) {
      const whole = [...left, line].join('');
      left = [];
      take(whole.endsWith('\r') ? whole.slice(0, -1) : whole, found);
    }
    // Joined once the line ends: a large event arrives in many pieces.
    if (last !== '') left.push(last);
    return found;
  };
}

const noFields = (): { name: string; data: string[] } => ({ name: 'message', data: [] });

function fieldOf(line: string): { name: string; value: string } {
  const colon = line.indexOf(':');
  if (colon < 0) return { name: line, value: '' };
  const value = line.slice(colon + 1);
  return { name: line.slice(0, colon), value: value.startsWith(' ') ? value.slice(1) : value };
}
