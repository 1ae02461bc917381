import { type FSWatcher, watch } from 'node:fs';

/** Tells that something below a folder may have changed; never what, and not always: a sweep finds out. */
export interface Hints {
  /** Whether the platform tells of all that is below. */
  readonly works: () => boolean;
  close(): void;
}

export const watchHints = (folder: string, onHint: () => void): Hints => {
  const watchers = new Map<boolean, FSWatcher>();
  const open = (recursive: boolean): void => {
    try {
      const watcher = watch(folder, { recursive, persistent: false }, onHint);
      watchers.set(recursive, watcher);
      // Out of inotify watches, or the folder itself is gone: sweeping goes on without hints.
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(recursive);
      });
    } catch {
      // A file system that cannot be watched (some network mounts).
    }
  };
  open(true);
  // On Linux the recursive one is put together by Node and misses the rename of a link (a ConfigMap's `..data`).
  open(false);
  return {
    works: () => watchers.has(true),
    close() {
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
};
