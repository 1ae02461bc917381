// Run with --import @inmesh/sdk/register: the platform's own fetch goes through the mesh.
const response = await fetch('http://ratings.example/stars');
process.stdout.write(JSON.stringify({ text: await response.text(), cluster: response.mesh?.cluster }));
