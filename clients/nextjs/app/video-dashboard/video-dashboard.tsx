'use client'
import '../patch-notes/[id]/video-render.css'
import './video-dashboard.css'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { DashboardRender } from 'renderstate/next'
import { useVideoDashboard } from 'renderstate/react'
import type { DashboardConnectionState } from 'renderstate/react'
import { ago, grouped, groupOf, groups, groupText } from './groups'
import type { Group } from './groups'
import { RenderDialog } from './render-dialog'
import { RenderRow } from './render-row'

/** So many renders of each group are shown beside those of the others. */
const fewest = 20

const connectionText: { readonly [state in DashboardConnectionState]: string } = {
  connecting: 'Connecting…',
  live: 'Live',
  lost: 'Connecting again…',
  refused: ''
}

const nothingText: { readonly [group in Group]: string } = {
  stuck: 'Nothing is stuck.',
  rendering: 'Nothing is being rendered.',
  queued: 'Nothing is queued.',
  failed: 'Nothing has failed.',
  completed: 'Nothing is completed.'
}

/** What is stuck, rendering, queued, or has failed or completed last; a click on one opens its history. */
export function VideoDashboard() {
  const { renders, more, stuckMs, clockSkewMs, connection, error, refresh } = useVideoDashboard()
  const now = useNow() + clockSkewMs
  const [shown, setShown] = useState<Group | 'all'>('all')
  const [wanted, setWanted] = useState('')
  const [opened, setOpened] = useState<string | null>(null)
  const all = useMemo(() => grouped(renders?.values() ?? [], now, stuckMs), [renders, now, stuckMs])
  const open = useCallback((id: string) => setOpened(id), [])

  if (connection === 'refused') {
    return (
      <div className="video-render-root">
        <p className="video-render-error" role="alert">
          {error}
        </p>
      </div>
    )
  }
  if (renders === null) {
    return (
      <div className="video-render-root dashboard">
        {connection === 'lost' ? <Lost isEmpty onRetry={refresh} /> : <p role="status">Looking…</p>}
      </div>
    )
  }
  const isMore = (group: Group) => group !== 'stuck' && more.includes(group)
  const count = (group: Group) => `${all[group].length.toLocaleString('en')}${isMore(group) ? '+' : ''}`
  const found = (group: Group) => (wanted === '' ? all[group] : all[group].filter(({ id }) => id.includes(wanted)))
  const listed = groups.filter((group) => (shown === 'all' ? found(group).length > 0 : shown === group))
  return (
    <div className="video-render-root dashboard">
      <div className="dashboard-head">
        <p className="video-render-connection" data-connection={connection} role="status">
          {connectionText[connection]}
        </p>
        <input
          type="search"
          aria-label="Find renders by their id"
          placeholder="Find by id"
          value={wanted}
          onChange={({ target }) => setWanted(target.value)}
        />
      </div>
      {connection === 'lost' && <Lost onRetry={refresh} />}
      <div className="dashboard-tiles" role="group" aria-label="Show">
        <Tile text="All" count={renders.size.toLocaleString('en')} isPressed={shown === 'all'} onPress={() => setShown('all')} />
        {groups.map((group) => (
          <Tile
            key={group}
            group={group}
            text={groupText[group]}
            count={count(group)}
            isEmpty={all[group].length === 0}
            isPressed={shown === group}
            onPress={() => setShown(group)}
          />
        ))}
      </div>
      {renders.size === 0 && <p className="dashboard-nothing">There are no renders yet. They come here as soon as one is started.</p>}
      {renders.size > 0 && listed.every((group) => found(group).length === 0) && (
        <p className="dashboard-nothing">{wanted !== '' ? 'No render shown here has such an id.' : shown !== 'all' && nothingText[shown]}</p>
      )}
      {listed.map((group) => (
        <RenderGroup
          key={group}
          group={group}
          renders={found(group)}
          limit={shown === 'all' && wanted === '' ? fewest : Infinity}
          count={count(group)}
          isMore={isMore(group)}
          now={now}
          onOpen={open}
          onShowAll={() => setShown(group)}
        />
      ))}
      <OpenedDialog id={opened} renders={renders} now={now} stuckMs={stuckMs} onClose={() => setOpened(null)} />
    </div>
  )
}

function Lost({ isEmpty = false, onRetry }: { readonly isEmpty?: boolean; readonly onRetry: () => void }) {
  return (
    <div className="dashboard-lost" role="alert">
      <p>There is no connection to the server{isEmpty ? '.' : ', so this may be out of date.'} It is tried again by itself.</p>
      <button type="button" onClick={onRetry}>
        Try now
      </button>
    </div>
  )
}

interface TileProps {
  readonly group?: Group
  readonly text: string
  readonly count: string
  readonly isEmpty?: boolean
  readonly isPressed: boolean
  readonly onPress: () => void
}

function Tile({ group, text, count, isEmpty = false, isPressed, onPress }: TileProps) {
  return (
    <button type="button" id={tileId(group)} data-group={group} data-empty={isEmpty} aria-pressed={isPressed} onClick={onPress}>
      <span className="dashboard-count">{count}</span> <span>{text}</span>
    </button>
  )
}

function tileId(group: Group | undefined): string {
  return `dashboard-${group ?? 'all'}`
}

interface RenderGroupProps {
  readonly group: Group
  readonly renders: readonly DashboardRender[]
  readonly limit: number
  readonly count: string
  readonly isMore: boolean
  readonly now: number
  readonly onOpen: (id: string) => void
  readonly onShowAll: () => void
}

function RenderGroup({ group, renders, limit, count, isMore, now, onOpen, onShowAll }: RenderGroupProps) {
  if (renders.length === 0) return null
  const isCut = renders.length > limit
  return (
    <section className="dashboard-group" aria-labelledby={`dashboard-title-${group}`}>
      <h2 id={`dashboard-title-${group}`}>
        {groupText[group]} <span className="dashboard-attempt">{renders.length.toLocaleString('en')}</span>
      </h2>
      <ul>
        {renders.slice(0, isCut ? limit : undefined).map((render) => (
          <RenderRow key={render.id} render={render} group={group} when={ago(render.updatedAt, now)} onOpen={onOpen} />
        ))}
      </ul>
      {isCut && (
        <button
          type="button"
          className="dashboard-all"
          onClick={() => {
            onShowAll()
            document.getElementById(tileId(group))?.focus()
          }}
        >
          Show all {count} of these
        </button>
      )}
      {!isCut && isMore && <p className="dashboard-nothing">There are more, and older ones.</p>}
    </section>
  )
}

interface OpenedDialogProps {
  readonly id: string | null
  readonly renders: ReadonlyMap<string, DashboardRender>
  readonly now: number
  readonly stuckMs: number
  readonly onClose: () => void
}

function OpenedDialog({ id, renders, now, stuckMs, onClose }: OpenedDialogProps) {
  // As it was known last, should newer ones have taken its place meanwhile.
  const last = useRef<DashboardRender | null>(null)
  const current = id === null ? null : renders.get(id) ?? last.current
  last.current = current
  const group = current && groupOf(current, now, stuckMs)
  if (!current || !group) return null
  const close = () => {
    onClose()
    // Where the row is by now: it may have changed its place.
    document.querySelector<HTMLElement>(`[data-render="${CSS.escape(current.id)}"]`)?.focus()
  }
  return <RenderDialog key={current.id} render={current} group={group} when={ago(current.updatedAt, now)} onClose={close} />
}

/** The time of this device, every few seconds. */
function useNow(): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5_000)
    return () => clearInterval(timer)
  }, [])
  return now
}
