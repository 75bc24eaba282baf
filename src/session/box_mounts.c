#include "session/box_mounts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

struct box_mount_wait {
    struct box_mount_wait *next;
    uint32_t id;
    const struct box *box; /* only compared */
    box_mounted_cb done;   /* NULL: nobody is interested any more */
    void *data;
    struct err why;
};

void box_mounts_add(struct box_mounts *all, uint32_t id, const struct box *box, box_mounted_cb done, void *data)
{
    struct box_mount_wait *wait = xnew(struct box_mount_wait), **at = &all->first;

    wait->id = id;
    wait->box = box;
    wait->done = done;
    wait->data = data;
    while (*at)
        at = &(*at)->next;
    *at = wait;
}

static void remove_wait(struct box_mounts *all, struct box_mount_wait *wait)
{
    struct box_mount_wait **at = &all->first;

    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
}

bool box_mounts_answer(struct box_mounts *all, uint32_t id, const struct err *e)
{
    for (struct box_mount_wait *wait = all->first; wait; wait = wait->next) {
        if (wait->id != id || wait->why.code) /* what has failed is told later */
            continue;
        remove_wait(all, wait);
        if (wait->done)
            wait->done(wait->data, e);
        free(wait);
        return true;
    }
    return false;
}

void box_mounts_forget(struct box_mounts *all, const struct box *box)
{
    for (struct box_mount_wait *wait = all->first; wait; wait = wait->next)
        if (wait->box == box)
            wait->done = NULL;
}

static struct box_mount_wait *find_failed(const struct box_mounts *all)
{
    struct box_mount_wait *wait = all->first;

    while (wait && !wait->why.code)
        wait = wait->next;
    return wait;
}

static void on_failed(uv_timer_t *timer)
{
    struct box_mounts *all = timer->data;
    struct box_mount_wait *wait;

    while ((wait = find_failed(all))) {
        remove_wait(all, wait);
        if (wait->done)
            wait->done(wait->data, &wait->why);
        free(wait);
    }
}

void box_mounts_fail(struct box_mounts *all, const char *text)
{
    if (!all->first)
        return;
    for (struct box_mount_wait *wait = all->first; wait; wait = wait->next)
        (void)err_set(&wait->why, ECHILD, "%s", text);
    if (!all->timer) {
        all->timer = xnew(uv_timer_t);
        (void)uv_timer_init(all->loop, all->timer);
        all->timer->data = all;
    }
    (void)uv_timer_start(all->timer, on_failed, 0, 0);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void box_mounts_free(struct box_mounts *all)
{
    while (all->first) {
        struct box_mount_wait *wait = all->first;

        all->first = wait->next;
        free(wait);
    }
    if (all->timer)
        uv_close((uv_handle_t *)all->timer, on_closed);
    all->timer = NULL;
}
