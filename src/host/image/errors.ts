/** An image that cannot be looked at: what is the matter with it, where, and what to do next. */
export class ImageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ImageError';
  }
}
