"""Meter templates in evcc's form, made up for these tests."""

HYBRID = """template: example-hybrid
products:
  - brand: Example
    description:
      generic: EX Series
params:
  - name: usage
    choice: ["grid", "pv", "battery"]
  - name: modbus
    choice: ["rs485", "tcpip"]
    baudrate: 19200
    port: 8502
    id: 3
render: |
  type: custom
  {{- if eq .usage "grid" }}
  power:
    source: modbus
    {{- include "modbus" . | indent 2 }}
    register:
      address: 0x1F4 # exported power
      type: input
      decode: int32s
    scale: -1
  energy:
    source: modbus
    register:
      address: 502
      type: input
      decode: uint32nan
    scale: 0.01
  {{- end }}
  {{- if eq .usage "pv" }}
  power:
    source: calc
    add:
    - source: modbus
      register:
        address: 510
        type: holding
        decode: int16
    - source: modbus
      register:
        address: 511
        type: holding
        decode: int16
  energy:
    source: modbus
    register:
      address: 520
      type: holding
      decode: uint32
    scale: 0.1
  {{- end }}
  {{- if eq .usage "battery" }}
  power:
    source: modbus
    register:
      address: 530
      type: holding
      decode: int16
  soc:
    source: modbus
    register:
      address: 531
      type: holding
      decode: uint16
    scale: 0.1
  batterymode:
    source: switch
    switch:
    - case: 1
      set:
        source: const
        value: 0
        set:
          source: modbus
          register:
            address: 900
            type: writesingle
            decode: uint16
  {{- end }}
"""
METER = """template: Example Meter 3
products:
  - brand: Example
params:
  - name: usage
    choice: ["grid", "pv", "charge"]
  - name: modbus
    choice: ["rs485"]
    baudrate: 9600
render: |
  type: custom
  power:
    source: modbus
    register:
      address: 36
      type: holding
      decode: float32
    {{- if eq .usage "pv" }}
    scale: -1
    {{- end }}
  import:
    source: modbus
    register:
      {{- if eq .usage "pv" }}
      address: 64
      {{- else }}
      address: 62
      {{- end }}
      type: holding
      decode: uint32
    scale: 0.01
  {{- if .extended }}
  export:
    source: modbus
    register:
      address: 70
      type: holding
      decode: bcd
  {{- end }}
  currents:
  - source: modbus
    register:
      address: 26
      type: holding
      decode: uint16
    scale: 0.01
  - source: modbus
    register:
      address: 27
      type: holding
      decode: uint16
    scale: 0.01
"""
SUNSPEC = """template: example-sunspec
render: |
  type: custom
  power:
    source: sunspec
    value: 103:W
"""
