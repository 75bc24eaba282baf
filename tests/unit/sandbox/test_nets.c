/* Which network namespaces are used again. Skipped where none can be made. */
#include "sandbox/nets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "../unit.h"

#define TRIES 100 /* the kernel may count something by itself when loopback comes up */

/* As a sandbox's code would, which ends then. */
static void send_to(const struct net *net, const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    autofd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1;

    assert_int_equal(setns(net->ns, CLONE_NEWNET), 0);
    assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
    assert_int_equal(setns(own, CLONE_NEWNET), 0);
}

static void check(const char *address, bool again)
{
    struct nets nets = NETS_INIT;
    bool was_kept = false;

    for (int i = 0; i < TRIES && !was_kept; i++) {
        struct err e = ERR_INIT;
        struct net net = NET_INIT;

        assert_int_equal(nets_take(&nets, &net, &e), 0);
        if (address)
            send_to(&net, address);
        nets_give(&nets, &net);
        assert_int_equal(net.ns, -1);
        was_kept = nets.n > 0;
        if (!again && i >= 3)
            break;
    }
    assert_int_equal(was_kept, again);
    while (nets.n > 0)
        net_close(&nets.kept[--nets.n]);
}

static void test_again(void **state)
{
    (void)state;
    if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0)
        skip();
    if (unshare(CLONE_NEWNET) < 0)
        skip();
    check(NULL, true);
    check("127.0.0.1", false);
    check("192.0.2.1", false); /* there is no route to it */
}

static void test_one_ahead(void **state)
{
    struct nets nets = NETS_INIT;
    struct net net = NET_INIT;
    struct err e = ERR_INIT;

    (void)state;
    nets_keep_one(&nets);
    if (nets.n == 0)
        skip();
    nets_keep_one(&nets);
    assert_int_equal(nets.n, 1);
    assert_int_equal(nets_take(&nets, &net, &e), 0);
    assert_int_equal(nets.n, 0);
    net_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_again), cmocka_unit_test(test_one_ahead)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
