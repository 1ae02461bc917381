/** `node --import @inmesh/sdk/register app.js`: the process's fetch and undici's global dispatcher go through the mesh. */
import { defaultMesh } from './mesh.ts';

defaultMesh().install();
