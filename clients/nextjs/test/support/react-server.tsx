import { Fragment, cloneElement, createElement, isValidElement } from 'react'
import type { ReactNode } from 'react'
import { renderToString } from 'react-dom/server'

/** Which exports are client components: `[the file, its exports]`. */
export type ClientFiles = ReadonlyArray<readonly [string, { readonly [name: string]: unknown }]>

/** A page as HTML, in which each client component stands in an element that the browser's part finds. */
export async function render(page: ReactNode, clients: ClientFiles): Promise<string> {
  return renderToString(createElement(Fragment, null, await resolved(page, clients)))
}

/** Server components called and waited for, as Next.js does, until only elements and client components are left. */
async function resolved(node: ReactNode, clients: ClientFiles): Promise<ReactNode> {
  if (Array.isArray(node)) return Promise.all(node.map((child) => resolved(child, clients)))
  if (!isValidElement(node)) return node
  const { type, props, key } = node as { type: unknown; props: { children?: ReactNode }; key: string | null }
  for (const [file, exports] of clients) {
    const name = Object.keys(exports).find((candidate) => exports[candidate] === type)
    if (name !== undefined) {
      const island = { key, style: { display: 'contents' }, 'data-client': `${file}#${name}`, 'data-props': serialized(props) }
      return createElement('div', island, node)
    }
  }
  if (typeof type === 'function') return resolved(await type(props), clients)
  return props.children === undefined ? node : cloneElement(node, {}, await resolved(props.children, clients))
}

/** What a server component gives to a client component has to survive the way to the browser. */
function serialized(props: object): string {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') throw new Error(`the prop ${name} is a function, which a client component cannot be given`)
  }
  return JSON.stringify(props)
}
