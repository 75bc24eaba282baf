/*
 * Network namespaces with nothing but loopback. Making and removing one costs about as much as the fork of a kernel, so
 * one in which nothing was ever sent, nor tried to be, is given to another sandbox once its own has ended: it is as it
 * was made.
 *
 * Who is in a sandbox has no capability there, so no address, route or setting can have changed. Its processes have
 * ended with the first one, and with them their sockets and abstract names. What a connection leaves behind (TIME_WAIT,
 * metrics) needs packets; each of these, and each that had no route, is in the counters of /proc/net, which must be
 * what they were at first.
 */
#ifndef CELLBLOCK_SANDBOX_NETS_H
#define CELLBLOCK_SANDBOX_NETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct net {
    int ns;            /* owned; -1: none */
    uint64_t counters; /* at first: a hash; 0: not known */
};

#define NET_INIT                                                                                                       \
    {                                                                                                                  \
        -1, 0                                                                                                          \
    }

#define NETS_KEPT 4

struct nets {
    struct net kept[NETS_KEPT];
    size_t n;
};

#define NETS_INIT                                                                                                      \
    {                                                                                                                  \
        {NET_INIT, NET_INIT, NET_INIT, NET_INIT}, 0                                                                    \
    }

/* One in which nothing was sent yet, loopback up. The caller has one thread. */
int nets_take(struct nets *nets, struct net *ret, struct err *e);

/* See to it that the next nets_take has one to give, when there is time. That it fails is told by nets_take. */
void nets_keep_one(struct nets *nets);

/* The sandbox has ended, to its last process. */
void nets_give(struct nets *nets, struct net *net_take);

void net_close(struct net *net);

#endif
