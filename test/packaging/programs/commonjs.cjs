const { meshFetch, MeshError, createMesh } = require('@inmesh/sdk');

async function main() {
  const response = await meshFetch('http://ratings.example/stars');
  const text = await response.text();
  const same = await import('@inmesh/sdk');
  const isOne = same.MeshError === MeshError && same.createMesh === createMesh;
  process.stdout.write(JSON.stringify({ text, cluster: response.mesh?.cluster, isOne }));
}

main();
