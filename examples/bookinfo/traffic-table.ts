/** Who calls whom: counts calls by caller and callee, and prints them as a table with the last window's share. */
export interface Traffic {
  readonly from: string;
  readonly to: string;
  readonly failed: boolean;
  /** SPIFFE ID that the other end proved; undefined: in clear. */
  readonly peer: string | undefined;
  /** Answered by the mesh itself: nobody was called. */
  readonly isLocal: boolean;
}

interface Row {
  total: number;
  failed: number;
  window: number;
  mutual: number;
  sent: number;
}

const KEY_SEPARATOR = '\u0000';

export class TrafficTable {
  readonly #rows = new Map<string, Row>();

  record({ from, to, failed, peer, isLocal }: Traffic): void {
    const key = `${from}${KEY_SEPARATOR}${to}`;
    let row = this.#rows.get(key);
    if (!row) {
      row = { total: 0, failed: 0, window: 0, mutual: 0, sent: 0 };
      this.#rows.set(key, row);
    }
    row.total++;
    row.window++;
    if (failed) row.failed++;
    if (isLocal) return;
    row.sent++;
    if (peer !== undefined) row.mutual++;
  }

  /** Lines of the table for the window that ends now; the next window starts empty. */
  take(windowSeconds: number): readonly string[] {
    const entries = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1));
    const byService = new Map<string, number>();
    const service = (to: string) => to.split(' ')[0] ?? to;
    for (const [key, row] of entries) {
      const group = key.slice(0, key.indexOf(KEY_SEPARATOR) + 1) + service(key.slice(key.indexOf(KEY_SEPARATOR) + 1));
      byService.set(group, (byService.get(group) ?? 0) + row.window);
    }
    const lines = ['from              to                 calls/s   share   total  failed    mTLS'];
    for (const [key, row] of entries) {
      const [from = '', to = ''] = key.split(KEY_SEPARATOR);
      const of = byService.get(`${from}${KEY_SEPARATOR}${service(to)}`) ?? 0;
      const share = of === 0 ? '-' : `${Math.round((100 * row.window) / of)} %`;
      const rate = (row.window / windowSeconds).toFixed(1);
      const mutual = row.sent === 0 ? '-' : `${Math.round((100 * row.mutual) / row.sent)} %`;
      lines.push(
        `${from.padEnd(17)} ${to.padEnd(17)} ${rate.padStart(8)} ${share.padStart(7)} ${String(row.total).padStart(7)} ${String(row.failed).padStart(7)} ${mutual.padStart(7)}`,
      );
      row.window = 0;
    }
    return lines;
  }
}
