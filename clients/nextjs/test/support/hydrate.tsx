import { createElement } from 'react'
import type { ComponentType } from 'react'
import { hydrateRoot } from 'react-dom/client'

/** Makes the client components of the page alive. */
export function hydrate(files: { readonly [file: string]: { readonly [name: string]: unknown } }): void {
  for (const island of document.querySelectorAll<HTMLElement>('[data-client]')) {
    const [file = '', name = ''] = (island.dataset.client ?? '').split('#')
    const component = files[file]?.[name] as ComponentType<object>
    hydrateRoot(island, createElement(component, JSON.parse(island.dataset.props ?? '{}')), {
      onRecoverableError: (error) => console.error('hydration', error)
    })
  }
}
