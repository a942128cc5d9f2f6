#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/http-connection.h"

struct Connection {
        int fd; /* borrowed */
        usec_t interval;
        sd_event_source *timer;
        uint64_t moved;      /* bytes in both directions at the last look */
        unsigned n_answered; /* since the last look */
        bool answering;
};

/*
 * What the kernel knows of the connection: works for sendfile too, and counts only what the client
 * really took.
 */
static uint64_t connection_moved(const Connection *connection)
{
        struct tcp_info info = {};
        socklen_t size = sizeof(info);

        if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return 0;
        return info.tcpi_bytes_acked + info.tcpi_bytes_received;
}

bool connection_look(Connection *connection)
{
        uint64_t moved = connection_moved(connection);
        bool slow = moved - connection->moved < CONNECTION_BYTES_MIN;
        bool asking = !connection->answering && connection->n_answered == 0;

        connection->moved = moved;
        connection->n_answered = 0;
        if (!slow && !asking)
                return true;

        (void)shutdown(connection->fd, SHUT_RDWR); /* MHD sees its end and cleans up */
        return false;
}

static int on_watch(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Connection *connection = userdata;

        if (connection_look(connection)
            && sd_event_source_set_time_relative(source, connection->interval) >= 0)
                (void)sd_event_source_set_enabled(
                        source, SD_EVENT_ONESHOT); /* can not fail: the source is live */
        return 0;
}

int connection_new(sd_event *event, int fd, usec_t interval, Connection **ret)
{
        Connection *connection = malloc(sizeof(Connection));
        int r;

        if (!connection)
                return -ENOMEM;
        *connection = (Connection) { .fd = fd, .interval = interval };

        r = sd_event_add_time_relative(event, &connection->timer, CLOCK_MONOTONIC, interval, 0,
                                       on_watch, connection);
        if (r < 0) {
                free(connection);
                return r;
        }
        (void)sd_event_source_set_description(connection->timer,
                                              "connection-watch"); /* for debugging only */

        *ret = connection;
        return 0;
}

Connection *connection_free(Connection *connection)
{
        if (!connection)
                return NULL;

        sd_event_source_disable_unref(connection->timer);
        free(connection);
        return NULL;
}

void connection_asked(Connection *connection)
{
        connection->answering = true;
}

void connection_answered(Connection *connection)
{
        connection->answering = false;
        connection->n_answered++;
}
