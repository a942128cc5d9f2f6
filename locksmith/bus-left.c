#include <sys/socket.h>

#include "base/io.h"
#include "bus-left.h"

/* A client that says no more than it must. */
static const char greeting[] = "\0AUTH ANONYMOUS\r\nBEGIN\r\n";

/* What is there now, without waiting for more. */
static int left_take(int fd, char **ret, size_t *ret_size)
{
        _cleanup_free_ char *data = malloc(BUS_LEFT_MAX);
        size_t size = 0;
        ssize_t n;

        if (!data)
                return -ENOMEM;
        while (size < BUS_LEFT_MAX) {
                n = RET_ERRNO(recv(fd, data + size, BUS_LEFT_MAX - size, MSG_DONTWAIT));
                if (n == -EAGAIN || n == 0)
                        break;
                if (n < 0 && n != -EINTR)
                        return (int)n;
                size += n > 0 ? (size_t)n : 0;
        }

        *ret = TAKE_PTR(data);
        *ret_size = size;
        return 0;
}

/* Nothing but a connection can read messages: one that has the bytes in its socket, and never gets more. */
static int left_open(const char *data, size_t size, int pair[static 2], sd_bus **ret)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = write_full(pair[1], greeting, sizeof(greeting) - 1);
        if (r >= 0)
                r = write_full(pair[1], data, size);
        if (r >= 0)
                r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_fd(bus, pair[0], pair[0]);
        if (r < 0)
                return r;

        (void)TAKE_FD(pair[0]); /* the bus's now */
        r = sd_bus_set_server(bus, true, SD_ID128_NULL);
        if (r >= 0)
                r = sd_bus_set_anonymous(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(bus);
        return 0;
}

static int left_tell(sd_bus *bus, sd_bus_message_handler_t handler, void *userdata)
{
        int r;

        do {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

                r = sd_bus_process(bus, &message);
                if (r > 0 && message)
                        r = handler(message, userdata, NULL);
                else if (r == 0 && sd_bus_wait(bus, 0) <= 0)
                        break;
        } while (r >= 0);
        return r;
}

int bus_left_read(int fd, sd_bus_message_handler_t handler, void *userdata)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_close_ int ours = -1, theirs = -1;
        _cleanup_free_ char *data = NULL;
        int pair[2], r;
        size_t size;

        r = left_take(fd, &data, &size);
        if (r < 0 || size == 0)
                return r;

        r = RET_ERRNO(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
        if (r < 0)
                return r;
        r = left_open(data, size, pair, &bus);
        ours = pair[0];
        theirs = pair[1];
        return r < 0 ? r : left_tell(bus, handler, userdata);
}
