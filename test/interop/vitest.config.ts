import { defineConfig } from 'vitest/config';

/** Tests against real peers; each peer that cannot be had is named and skipped. */
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['test/interop/**/*.test.ts'],
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
