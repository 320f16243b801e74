import type { ActRecord, HistoryRecord } from '../../api/parts.ts';
import type { PagePicture } from './picture.ts';

/** Deployments and the acts of people between them, in one order: the newest first. */

export type HistoryRow =
  | { readonly deployment: HistoryRecord; readonly act?: undefined }
  | { readonly act: ActRecord; readonly deployment?: undefined };

export function historyRows({ history, acts }: Pick<PagePicture, 'history' | 'acts'>): HistoryRow[] {
  const rows: HistoryRow[] = [...history.map((deployment) => ({ deployment })), ...acts.map((act) => ({ act }))];
  return rows.sort((a, b) => timeOf(b) - timeOf(a));
}

const timeOf = ({ deployment, act }: HistoryRow): number => (deployment ?? act)?.at ?? 0;
