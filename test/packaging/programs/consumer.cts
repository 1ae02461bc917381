import sdk = require('@inmesh/sdk');

async function main(): Promise<number> {
  const response: sdk.MeshResponse = await sdk.meshFetch('http://reviews:9080/');
  return response.status;
}

main().catch((error: unknown) => process.stderr.write(sdk.MeshError.from(error).code));
