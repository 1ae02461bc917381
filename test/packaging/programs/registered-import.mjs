// As an application that is bundled does it: the import must not be dropped as one without effect.
import '@inmesh/sdk/register';

const response = await fetch('http://ratings.example/stars');
process.stdout.write(JSON.stringify({ text: await response.text(), cluster: response.mesh?.cluster }));
