/** A name of the browser's types that the declarations of `@connectrpc/connect` use; Node's know what it is but do not name it. */
type HeadersInit = NonNullable<RequestInit['headers']>;
