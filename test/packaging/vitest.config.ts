import { defineConfig } from 'vitest/config';

/** The packed packages, installed where nothing else is. */
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['test/packaging/**/*.test.ts'],
    globalSetup: ['test/packaging/install.ts'],
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
    // Compilers and bundlers on a busy machine; what runs ends long before.
    testTimeout: 180_000,
    hookTimeout: 240_000,
  },
});
