/* jobs/launch/here.c - routes to hosts, without a packet. */
#include "jobs/launch/here.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct addrinfo *resolve(const char *name, int family)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_family = family }, *found = NULL;

    return getaddrinfo(name, "9", &hints, &found) == 0 ? found : NULL;
}

/* The address that would be the sender's of a packet to it, in numbers: connecting a socket for
 * datagrams asks the routes.  0 = there is no way. */
static int source_of(const struct addrinfo *to, char out[ORR_HOST_MAX])
{
    struct sockaddr_storage mine;
    socklen_t size = sizeof mine;
    int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0),
        good = fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
               getsockname(fd, (struct sockaddr *)&mine, &size) == 0 &&
               getnameinfo((struct sockaddr *)&mine, size, out, ORR_HOST_MAX, NULL, 0,
                           NI_NUMERICHOST) == 0;

    if (fd >= 0) close(fd);
    return good;
}

static int is_loopback(const struct addrinfo *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a->ai_addr;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a->ai_addr;

    return a->ai_family == AF_INET ? ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
                                   : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* An address of this machine's own is reached from itself. */
static int is_own(const struct addrinfo *a)
{
    char to[ORR_HOST_MAX], from[ORR_HOST_MAX];

    if (is_loopback(a)) return 1;
    return getnameinfo(a->ai_addr, a->ai_addrlen, to, sizeof to, NULL, 0, NI_NUMERICHOST) == 0 &&
           source_of(a, from) && strcmp(to, from) == 0;
}

int orr_is_here(const char *name)
{
    struct addrinfo *found = resolve(name, AF_UNSPEC);
    int all = found != NULL;

    for (struct addrinfo *a = found; a && all; a = a->ai_next)
        all = is_own(a);
    if (found) freeaddrinfo(found);
    return all;
}

/* From where the host is reached, when that is one address.  (Of version 6 it may be one that means
 * something on this link alone.) */
static int way_to(const char *name, char out[ORR_HOST_MAX])
{
    char other[ORR_HOST_MAX];
    struct addrinfo *found = resolve(name, AF_INET);
    int ways = 0, good = 1;

    for (struct addrinfo *a = found; a && good; a = a->ai_next) {
        if (!source_of(a, ways ? other : out)) continue;
        good = ways++ == 0 || strcmp(other, out) == 0;
    }
    if (found) freeaddrinfo(found);
    return good && ways > 0;
}

/* The one address from which all that are not here are reached. */
static int one_way(const char *const *names, int n, char out[ORR_HOST_MAX])
{
    char other[ORR_HOST_MAX];
    int others = 0;

    for (int i = 0; i < n; i++) {
        if (orr_is_here(names[i])) continue;
        if (!way_to(names[i], others ? other : out)) return 0;
        if (others++ && strcmp(other, out) != 0) return 0;
    }
    if (!others) (void)snprintf(out, ORR_HOST_MAX, "127.0.0.1");
    return n > 0;
}

void orr_here(char out[ORR_HOST_MAX], const char *const *names, int n)
{
    if (one_way(names, n, out)) return;
    if (gethostname(out, ORR_HOST_MAX - 1) != 0) (void)snprintf(out, ORR_HOST_MAX, "127.0.0.1");
    out[ORR_HOST_MAX - 1] = '\0';
}
