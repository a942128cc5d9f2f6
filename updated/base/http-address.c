#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/http-address.h"
#include "base/text.h"

#define PORT_MAX 65535
#define HOST_MAX 255 /* RFC 1035 */

/*
 * Splits "[::1]:80" and "127.0.0.1:80"; the host comes without its brackets, and the caller frees
 * it.
 */
static int address_split(const char *text, char **ret_host, const char **ret_port)
{
        bool bracket = *text == '[';
        const char *host = text + (bracket ? 1 : 0);
        const char *end = strchr(host, bracket ? ']' : ':');
        const char *port;
        uint64_t number;

        if (!end || end == host)
                return -EINVAL;
        port = end + (bracket ? 1 : 0);
        if (*port != ':' || text_to_u64(port + 1, PORT_MAX, &number) < 0)
                return -EINVAL;

        *ret_host = strndup(host, (size_t)(end - host));
        if (!*ret_host)
                return -ENOMEM;
        *ret_port = port + 1;
        return 0;
}

static int address_open(const struct addrinfo *address)
{
        _cleanup_close_ int fd = -1;
        int yes = 1, r;

        fd = RET_ERRNO(socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd < 0)
                return fd;

        r = RET_ERRNO(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)));
        if (r < 0)
                return r;
        r = RET_ERRNO(bind(fd, address->ai_addr, address->ai_addrlen));
        if (r < 0)
                return r;
        r = RET_ERRNO(listen(fd, ADDRESS_BACKLOG));
        if (r < 0)
                return r;

        return TAKE_FD(fd);
}

static int address_show(int fd, char **ret)
{
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        char host[NI_MAXHOST], port[NI_MAXSERV];
        bool v6;
        int r;

        r = RET_ERRNO(getsockname(fd, (struct sockaddr *)&address, &size));
        if (r < 0)
                return r;
        if (getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV)
            != 0)
                return -EIO;

        v6 = address.ss_family == AF_INET6;
        return text_format(ret, "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

int address_listen(const char *text, char **ret_shown)
{
        static const struct addrinfo hints = {
                .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                .ai_socktype = SOCK_STREAM,
        };
        _cleanup_free_ char *host = NULL;
        _cleanup_close_ int fd = -1;
        struct addrinfo *address;
        const char *port;
        int r;

        r = address_split(text, &host, &port);
        if (r < 0)
                return r;
        if (getaddrinfo(host, port, &hints, &address) != 0)
                return -EINVAL;

        fd = address_open(address);
        freeaddrinfo(address);
        if (fd < 0)
                return fd;

        r = address_show(fd, ret_shown);
        return r < 0 ? r : TAKE_FD(fd);
}

bool address_host_is_valid(const char *text)
{
        const char *p = text;
        uint64_t port;

        if (strlen(text) > HOST_MAX)
                return false;

        if (*p == '[') {
                size_t n = strspn(p + 1, "0123456789abcdefABCDEF:.");

                p += 1 + n;
                if (n == 0 || *p++ != ']')
                        return false;
        } else {
                while (isalnum((unsigned char)*p) || *p == '.' || *p == '-' || *p == '_')
                        p++;
                if (p == text)
                        return false;
        }

        return !*p || (*p == ':' && text_to_u64(p + 1, PORT_MAX, &port) == 0);
}
