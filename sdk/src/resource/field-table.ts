import { fields as cluster } from './cluster/cluster.fields.ts';
import { fields as healthCheck } from './cluster/health-check.fields.ts';
import { fields as core } from './core.fields.ts';
import { fields as endpoint } from './endpoint/endpoint.fields.ts';
import type { FieldRows } from './fields.ts';
import { fields as listener } from './listener/listener.fields.ts';
import { fields as route } from './route/route.fields.ts';
import { fields as tls } from './tls/tls.fields.ts';

/** The SDK's whole column of the capability table. */
export const FIELDS: FieldRows = { ...core, ...listener, ...route, ...cluster, ...healthCheck, ...endpoint, ...tls };
