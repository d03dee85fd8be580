/** More comes in a file of its own, loaded when it is asked for. */
export default function More() {
  return <p className="more">There is more</p>;
}
