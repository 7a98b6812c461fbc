# Images of the programs: buildah bud --target allocator|lbnodeagent|k8gobgp|ipam .   (make images)
#
# A program's image holds what it imports, a Python and nothing else: no shell, no package manager.
# Debian's packages are unpacked, not installed, since none of them needs its scripts here; they are
# pinned by hashes, as the libraries are. The base only builds: nothing of it is in an image.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv binutils
WORKDIR /src

# Each library as a wheel, pinned by hashes, into the folder that becomes the program's.
FROM build AS allocator-libraries
COPY requirements/allocator.txt .
RUN python3 -m venv /venv \
 && /venv/bin/pip install -q --no-compile --require-hashes --only-binary :all: \
      --target /opt/purelb -r allocator.txt
FROM build AS lbnodeagent-libraries
COPY requirements/nodeagent.txt .
RUN python3 -m venv /venv \
 && /venv/bin/pip install -q --no-compile --require-hashes --only-binary :all: \
      --target /opt/purelb -r nodeagent.txt
FROM build AS k8gobgp-libraries
COPY requirements/bgp.txt .
RUN python3 -m venv /venv \
 && /venv/bin/pip install -q --no-compile --require-hashes --only-binary :all: \
      --target /opt/purelb -r bgp.txt
FROM build AS ipam-libraries
COPY requirements/ipam.txt .
RUN python3 -m venv /venv \
 && /venv/bin/pip install -q --no-compile --require-hashes --only-binary :all: \
      --target /opt/purelb -r ipam.txt

# The root of every image: Python with what its standard library and wheels link to.
FROM build AS root
COPY tools/rootfs.sh requirements/debian.txt .
RUN ./rootfs.sh /root-fs debian.txt python
# And `ip`, for a person who looks at a node.
FROM build AS root-with-ip
COPY tools/rootfs.sh requirements/debian.txt .
RUN ./rootfs.sh /root-fs debian.txt python ip
# And gobgpd, with the command line that `kubectl purelb gobgp` runs.
FROM build AS root-with-gobgp
COPY tools/rootfs.sh requirements/debian.txt .
RUN ./rootfs.sh /root-fs debian.txt python ip gobgp

FROM scratch AS allocator
COPY --from=root /root-fs /
COPY --from=allocator-libraries /opt/purelb /opt/purelb
COPY purelb /opt/purelb/purelb
COPY upkeep /opt/purelb/upkeep
COPY allocator /opt/purelb/allocator
ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin PYTHONPATH=/opt/purelb \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65534:65534
EXPOSE 7472
ENTRYPOINT ["python", "-m", "allocator"]

FROM scratch AS ipam
COPY --from=root /root-fs /
COPY --from=ipam-libraries /opt/purelb /opt/purelb
COPY purelb /opt/purelb/purelb
COPY ipam /opt/purelb/ipam
ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin PYTHONPATH=/opt/purelb \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65534:65534
ENTRYPOINT ["python", "-m", "ipam"]

# Root, for its two capabilities: a container's are those of its user's files otherwise.
FROM scratch AS lbnodeagent
COPY --from=root-with-ip /root-fs /
COPY --from=lbnodeagent-libraries /opt/purelb /opt/purelb
COPY purelb /opt/purelb/purelb
COPY nodeagent /opt/purelb/nodeagent
ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin PYTHONPATH=/opt/purelb \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 7472
ENTRYPOINT ["python", "-m", "nodeagent"]

# Root, for its capabilities: NET_ADMIN, NET_BIND_SERVICE and NET_RAW.
FROM scratch AS k8gobgp
COPY --from=root-with-gobgp /root-fs /
COPY --from=k8gobgp-libraries /opt/purelb /opt/purelb
COPY purelb /opt/purelb/purelb
COPY bgp /opt/purelb/bgp
ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin PYTHONPATH=/opt/purelb \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 179 7473 7474
ENTRYPOINT ["python", "-m", "bgp"]
