import { mapOf, message, supported, unused } from '../message.ts';
import { dnsLabel, labelValue, wrongLabelName } from '../syntax.ts';
import { type Type, text, textThat } from '../type.ts';

/** metadata, as far as it matters here. */
export interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  readonly creationTimestamp?: string;
}

export const metadata: Type<Metadata> = message<Metadata>(
  {
    name: supported(text()),
    namespace: supported(dnsLabel),
    uid: supported(text()),
    labels: supported(mapOf(labelValue, wrongLabelName)),
    annotations: supported(mapOf(text(), wrongLabelName)),
    creationTimestamp: supported(
      textThat('a time like 2026-01-31T12:00:00Z', (value) => Number.isNaN(Date.parse(value))),
    ),
  },
  {
    others: unused(
      'generateName',
      'resourceVersion',
      'generation',
      'managedFields',
      'ownerReferences',
      'finalizers',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
      'selfLink',
      'clusterName',
    ),
  },
);
