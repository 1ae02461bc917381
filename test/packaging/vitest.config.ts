import { defineConfig } from 'vitest/config';

/** The packed packages, installed where nothing else is. */
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['test/packaging/**/*.test.ts'],
    globalSetup: ['test/packaging/install.ts'],
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
    testTimeout: 60_000,
    hookTimeout: 240_000,
  },
});
