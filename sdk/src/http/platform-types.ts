/** fetch's types, which Node's type package knows but does not name. */
export type Redirect = NonNullable<RequestInit['redirect']>;
export type HeadersSource = RequestInit['headers'];
export type BodySource = NonNullable<ConstructorParameters<typeof Response>[0]>;
export type ResponseKind = Response['type'];
