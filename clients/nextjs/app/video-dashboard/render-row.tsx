'use client'
import { memo } from 'react'
import type { DashboardRender } from 'renderstate/next'
import { groupText } from './groups'
import type { Group } from './groups'

export interface RenderRowProps {
  readonly render: DashboardRender
  readonly group: Group
  /** How long ago the last event was. */
  readonly when: string
  readonly onOpen: (id: string) => void
}

/** One render of the dashboard; drawn anew only when something of it changes. */
export const RenderRow = memo(function RenderRow({ render, group, when, onOpen }: RenderRowProps) {
  const { id, status, progress, attempt, updatedAt, error } = render
  const percent = Math.floor(progress)
  return (
    <li className="dashboard-row">
      <button type="button" data-render={id} data-group={group} aria-haspopup="dialog" onClick={() => onOpen(id)}>
        <span className="dashboard-id" title={id}>
          {id}
        </span>{' '}
        <span className="dashboard-state">
          {group === 'stuck' ? `Stuck, ${status}` : groupText[group]}
          {attempt > 1 && <span className="dashboard-attempt"> attempt {attempt}</span>}
        </span>{' '}
        <span className="dashboard-progress">
          {status === 'rendering' && (
            <>
              <span className="dashboard-bar" aria-hidden="true">
                <span style={{ width: `${percent}%` }} />
              </span>
              <span className="dashboard-percent">{percent} %</span>
            </>
          )}
        </span>{' '}
        <time className="dashboard-when" dateTime={updatedAt} title={updatedAt}>
          {when}
        </time>{' '}
        {error !== undefined && <span className="dashboard-error">{error}</span>}
      </button>
    </li>
  )
})
