import { meshFetch } from '@inmesh/sdk';

const response = await meshFetch('http://ratings.example/stars');
process.stdout.write(JSON.stringify({ text: await response.text(), cluster: response.mesh?.cluster }));
